import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {kernelConfig} from '../../kernel';
import {RoundUp, type RoundUpAttrs, type RoundUpInputs} from '../../kernel_names';
import {roundUp} from '../shared/RoundUp_impl';
import {ints, makeOutput} from './wasm_util';

export const roundUpConfig = kernelConfig<RoundUpInputs, RoundUpAttrs, BackendWasm>(
  RoundUp,
  'wasm',
  ({inputs: {x}, attrs: {multiple}, backend}) => {
    const out = makeOutput(backend, x.shape, 'int32');
    roundUp(ints(backend, x), multiple, ints(backend, out));
    return out;
  },
);
