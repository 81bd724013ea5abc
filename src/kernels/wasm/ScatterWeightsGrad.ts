import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {kernelConfig} from '../../kernel';
import {
  ScatterWeightsGrad,
  type ScatterWeightsGradAttrs,
  type ScatterWeightsGradInputs,
} from '../../kernel_names';
import {assembly} from './assembly_module';
import {withRoutedRows} from './routed_rows';
import {address, makeOutput} from './wasm_util';

export const scatterWeightsGradConfig = kernelConfig<
  ScatterWeightsGradInputs,
  ScatterWeightsGradAttrs,
  BackendWasm
>(ScatterWeightsGrad, 'wasm', ({inputs, attrs, backend}) => {
  const {x, dy, indices} = inputs;
  const out = makeOutput(backend, indices.shape, 'float32');
  withRoutedRows(backend, inputs, attrs, ({numTokens, index, numRows}) =>
    assembly(backend).dotRows(
      numTokens,
      attrs.topK,
      x.shape[x.shape.length - 1],
      address(backend, x),
      index,
      numRows,
      address(backend, dy),
      address(backend, out),
    ),
  );
  return out;
});
