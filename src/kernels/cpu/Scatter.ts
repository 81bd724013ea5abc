import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import {type TensorInfo, util} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {Scatter, type ScatterAttrs, type ScatterInputs, WeightedScatter} from '../../kernel_names';
import {floats} from './cpu_util';
import {pullRows} from './indexed_rows';
import {routedRows} from './routed_rows';

function scatterKernel({
  inputs,
  attrs,
  backend,
}: {
  inputs: ScatterInputs;
  attrs: ScatterAttrs;
  backend: MathBackendCPU;
}): TensorInfo {
  const {x, indices} = inputs;
  const hiddenSize = x.shape[x.shape.length - 1];
  const shape = [indices.shape[0] / attrs.topK, hiddenSize];
  const out = new Float32Array(util.sizeFromShape(shape));
  pullRows(routedRows(backend, inputs, attrs), floats(backend, x), out, hiddenSize);
  return backend.makeTensorInfo(shape, 'float32', out);
}

export const scatterConfig = kernelConfig(Scatter, 'cpu', scatterKernel);
export const weightedScatterConfig = kernelConfig(WeightedScatter, 'cpu', scatterKernel);
