import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {kernelConfig} from '../../kernel';
import {Cumsum, type CumsumAttrs, type CumsumInputs} from '../../kernel_names';
import {cumsum} from '../shared/Cumsum_impl';
import {ints, makeOutput} from './wasm_util';

export const cumsumConfig = kernelConfig<CumsumInputs, CumsumAttrs, BackendWasm>(
  Cumsum,
  'wasm',
  ({inputs: {x}, attrs: {exclusive}, backend}) => {
    const out = makeOutput(backend, x.shape, 'int32');
    cumsum(ints(backend, x), x.shape[x.shape.length - 1], exclusive, ints(backend, out));
    return out;
  },
);
