import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import {type TensorInfo, util} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {Gather, type GatherAttrs, type GatherInputs, WeightedGather} from '../../kernel_names';
import {routedShape} from '../shared/permutation';
import {floats} from './cpu_util';
import {pushRows} from './indexed_rows';
import {routedRows} from './routed_rows';

function gatherKernel({
  inputs,
  attrs,
  backend,
}: {
  inputs: GatherInputs;
  attrs: GatherAttrs;
  backend: MathBackendCPU;
}): TensorInfo {
  const {x, bins} = inputs;
  const hiddenSize = x.shape[x.shape.length - 1];
  const shape = routedShape(attrs, bins.shape[0], hiddenSize);
  const out = new Float32Array(util.sizeFromShape(shape));
  pushRows(routedRows(backend, inputs, attrs), floats(backend, x), out, hiddenSize);
  return backend.makeTensorInfo(shape, 'float32', out);
}

export const gatherConfig = kernelConfig(Gather, 'cpu', gatherKernel);
export const weightedGatherConfig = kernelConfig(WeightedGather, 'cpu', gatherKernel);
