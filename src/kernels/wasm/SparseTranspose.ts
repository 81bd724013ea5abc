import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {kernelConfig} from '../../kernel';
import {
  SparseTranspose,
  type SparseTransposeAttrs,
  type SparseTransposeInputs,
} from '../../kernel_names';
import {sparseTranspose} from '../shared/SparseTranspose_impl';
import {blockIndices, ints, makeOutput} from './wasm_util';

export const sparseTransposeConfig = kernelConfig<
  SparseTransposeInputs,
  SparseTransposeAttrs,
  BackendWasm
>(
  SparseTranspose,
  'wasm',
  ({inputs: {rowIndices, columnIndices}, attrs: {blockColumns}, backend}) => {
    const [nnz] = columnIndices.shape;
    const outputs = [nnz, blockColumns + 1, nnz].map((size) =>
      makeOutput(backend, [size], 'int32'),
    );
    const [columnIndicesT, offsetsT, blockOffsetsT] = outputs.map((x) => ints(backend, x));
    sparseTranspose(blockIndices(backend, rowIndices, columnIndices), {
      columnIndicesT,
      offsetsT,
      blockOffsetsT,
    });
    return outputs;
  },
);
