import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {kernelConfig} from '../../kernel';
import {LayerNorm, type LayerNormAttrs, type LayerNormInputs} from '../../kernel_names';
import {assembly, withScratch} from './assembly_module';
import {address, makeOutput} from './wasm_util';

const STATISTICS_BYTES = 8;

export const layerNormConfig = kernelConfig<LayerNormInputs, LayerNormAttrs, BackendWasm>(
  LayerNorm,
  'wasm',
  ({inputs: {x, gamma, beta}, attrs: {epsilon}, backend}) => {
    const out = makeOutput(backend, x.shape, 'float32');
    withScratch(backend, STATISTICS_BYTES, (statistics) =>
      assembly(backend).layerNorm(
        x.shape[0],
        x.shape[1],
        address(backend, x),
        address(backend, gamma),
        address(backend, beta),
        epsilon,
        address(backend, out),
        statistics,
      ),
    );
    return out;
  },
);
