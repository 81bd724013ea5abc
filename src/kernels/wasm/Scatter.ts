import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import type {TensorInfo} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {Scatter, type ScatterAttrs, type ScatterInputs, WeightedScatter} from '../../kernel_names';
import {assembly} from './assembly_module';
import {withRoutedRows} from './routed_rows';
import {address, makeOutput} from './wasm_util';

function scatterKernel({
  inputs,
  attrs,
  backend,
}: {
  inputs: ScatterInputs;
  attrs: ScatterAttrs;
  backend: BackendWasm;
}): TensorInfo {
  const {x, indices} = inputs;
  const hiddenSize = x.shape[x.shape.length - 1];
  const out = makeOutput(backend, [indices.shape[0] / attrs.topK, hiddenSize], 'float32');
  withRoutedRows(backend, inputs, attrs, ({numTokens, index, numRows, weights}) =>
    assembly(backend).pullRows(
      numTokens,
      attrs.topK,
      hiddenSize,
      address(backend, x),
      index,
      numRows,
      weights,
      address(backend, out),
    ),
  );
  return out;
}

export const scatterConfig = kernelConfig(Scatter, 'wasm', scatterKernel);
export const weightedScatterConfig = kernelConfig(WeightedScatter, 'wasm', scatterKernel);
