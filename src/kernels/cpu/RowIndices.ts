import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import {kernelConfig} from '../../kernel';
import {RowIndices, type RowIndicesAttrs, type RowIndicesInputs} from '../../kernel_names';
import {rowIndices} from '../shared/RowIndices_impl';
import {ints} from './cpu_util';

export const rowIndicesConfig = kernelConfig<RowIndicesInputs, RowIndicesAttrs, MathBackendCPU>(
  RowIndices,
  'cpu',
  ({inputs: {offsets}, attrs: {numBlocks}, backend}) => {
    const out = new Int32Array(numBlocks);
    rowIndices(ints(backend, offsets), out);
    return backend.makeTensorInfo([numBlocks], 'int32', out);
  },
);
