import {SparseToDense, type SparseToDenseAttrs, type SparseToDenseInputs} from '../../kernel_names';
import {SPARSE_SIZE_ATTRS} from './sparse_attrs';
import {tensorflowKernel} from './tensorflow_util';

export const sparseToDenseConfig = tensorflowKernel<SparseToDenseInputs, SparseToDenseAttrs>(
  SparseToDense,
  {
    inputs: ['values', 'rowIndices', 'columnIndices'],
    attrs: SPARSE_SIZE_ATTRS,
  },
);
