import {DenseToSparse, type DenseToSparseAttrs, type DenseToSparseInputs} from '../../kernel_names';
import {SPARSE_SIZE_ATTRS} from './sparse_attrs';
import {tensorflowKernel} from './tensorflow_util';

export const denseToSparseConfig = tensorflowKernel<DenseToSparseInputs, DenseToSparseAttrs>(
  DenseToSparse,
  {
    inputs: ['x', 'rowIndices', 'columnIndices'],
    attrs: SPARSE_SIZE_ATTRS,
  },
);
