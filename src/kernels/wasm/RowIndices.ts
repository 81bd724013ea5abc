import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {kernelConfig} from '../../kernel';
import {RowIndices, type RowIndicesAttrs, type RowIndicesInputs} from '../../kernel_names';
import {rowIndices} from '../shared/RowIndices_impl';
import {ints, makeOutput} from './wasm_util';

export const rowIndicesConfig = kernelConfig<RowIndicesInputs, RowIndicesAttrs, BackendWasm>(
  RowIndices,
  'wasm',
  ({inputs: {offsets}, attrs: {numBlocks}, backend}) => {
    const out = makeOutput(backend, [numBlocks], 'int32');
    rowIndices(ints(backend, offsets), ints(backend, out));
    return out;
  },
);
