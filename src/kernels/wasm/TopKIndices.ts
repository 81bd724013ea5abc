import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {kernelConfig} from '../../kernel';
import {TopKIndices, type TopKIndicesAttrs, type TopKIndicesInputs} from '../../kernel_names';
import {topKIndices} from '../shared/TopKIndices_impl';
import {floats, ints, makeOutput} from './wasm_util';

export const topKIndicesConfig = kernelConfig<TopKIndicesInputs, TopKIndicesAttrs, BackendWasm>(
  TopKIndices,
  'wasm',
  ({inputs: {x}, attrs: {k}, backend}) => {
    const out = makeOutput(backend, [x.shape[0], k], 'int32');
    topKIndices(floats(backend, x), x.shape[1], k, ints(backend, out));
    return out;
  },
);
