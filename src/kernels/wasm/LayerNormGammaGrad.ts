import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {kernelConfig} from '../../kernel';
import {
  LayerNormGammaGrad,
  type LayerNormGammaGradAttrs,
  type LayerNormGammaGradInputs,
} from '../../kernel_names';
import {assembly, withScratch} from './assembly_module';
import {address, floats, makeOutput} from './wasm_util';

const STATISTICS_BYTES = 8;

export const layerNormGammaGradConfig = kernelConfig<
  LayerNormGammaGradInputs,
  LayerNormGammaGradAttrs,
  BackendWasm
>(LayerNormGammaGrad, 'wasm', ({inputs: {x, dy}, attrs: {epsilon}, backend}) => {
  const dgamma = makeOutput(backend, [x.shape[1]], 'float32');
  withScratch(backend, STATISTICS_BYTES, (statistics) => {
    floats(backend, dgamma).fill(0);
    assembly(backend).layerNormGammaGrad(
      x.shape[0],
      x.shape[1],
      address(backend, x),
      address(backend, dy),
      epsilon,
      address(backend, dgamma),
      statistics,
    );
  });
  return dgamma;
});
