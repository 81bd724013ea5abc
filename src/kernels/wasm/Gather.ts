import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import type {TensorInfo} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {Gather, type GatherAttrs, type GatherInputs, WeightedGather} from '../../kernel_names';
import {forEachGap, routedShape} from '../shared/permutation';
import {assembly} from './assembly_module';
import {withRoutedRows} from './routed_rows';
import {address, floats, makeOutput} from './wasm_util';

// Token by token: x is read in order and each expert's rows are written in order. Row by row, x
// would be read at random, at half the speed.
function gatherKernel({
  inputs,
  attrs,
  backend,
}: {
  inputs: GatherInputs;
  attrs: GatherAttrs;
  backend: BackendWasm;
}): TensorInfo {
  const {x, bins} = inputs;
  const hiddenSize = x.shape[x.shape.length - 1];
  const out = makeOutput(backend, routedShape(attrs, bins.shape[0], hiddenSize), 'float32');
  withRoutedRows(backend, inputs, attrs, ({permutation, rows, index, ...routed}) => {
    const outValues = floats(backend, out);
    forEachGap(permutation, rows, (begin, end) =>
      outValues.fill(0, begin * hiddenSize, end * hiddenSize),
    );
    assembly(backend).pushRows(
      routed.numTokens,
      attrs.topK,
      hiddenSize,
      address(backend, x),
      index,
      routed.numRows,
      routed.weights,
      address(backend, out),
    );
  });
  return out;
}

export const gatherConfig = kernelConfig(Gather, 'wasm', gatherKernel);
export const weightedGatherConfig = kernelConfig(WeightedGather, 'wasm', gatherKernel);
