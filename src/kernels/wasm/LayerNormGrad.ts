import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {kernelConfig} from '../../kernel';
import {LayerNormGrad, type LayerNormGradAttrs, type LayerNormGradInputs} from '../../kernel_names';
import {assembly, withScratch} from './assembly_module';
import {address, makeOutput} from './wasm_util';

const STATISTICS_BYTES = 8;

export const layerNormGradConfig = kernelConfig<
  LayerNormGradInputs,
  LayerNormGradAttrs,
  BackendWasm
>(LayerNormGrad, 'wasm', ({inputs: {x, gamma, dy}, attrs: {epsilon}, backend}) => {
  const dx = makeOutput(backend, x.shape, 'float32');
  withScratch(backend, STATISTICS_BYTES, (statistics) =>
    assembly(backend).layerNormGrad(
      x.shape[0],
      x.shape[1],
      address(backend, x),
      address(backend, gamma),
      address(backend, dy),
      epsilon,
      address(backend, dx),
      statistics,
    ),
  );
  return dx;
});
