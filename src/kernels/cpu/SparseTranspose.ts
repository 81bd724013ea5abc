import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import {kernelConfig} from '../../kernel';
import {
  SparseTranspose,
  type SparseTransposeAttrs,
  type SparseTransposeInputs,
} from '../../kernel_names';
import {sparseTranspose} from '../shared/SparseTranspose_impl';
import {blockIndices} from './cpu_util';

export const sparseTransposeConfig = kernelConfig<
  SparseTransposeInputs,
  SparseTransposeAttrs,
  MathBackendCPU
>(
  SparseTranspose,
  'cpu',
  ({inputs: {rowIndices, columnIndices}, attrs: {blockColumns}, backend}) => {
    const [nnz] = columnIndices.shape;
    const out = {
      columnIndicesT: new Int32Array(nnz),
      offsetsT: new Int32Array(blockColumns + 1),
      blockOffsetsT: new Int32Array(nnz),
    };
    sparseTranspose(blockIndices(backend, rowIndices, columnIndices), out);
    return [out.columnIndicesT, out.offsetsT, out.blockOffsetsT].map((values) =>
      backend.makeTensorInfo([values.length], 'int32', values),
    );
  },
);
