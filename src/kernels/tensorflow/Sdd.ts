import {Sdd, type SddInputs, type SparseAttrs} from '../../kernel_names';
import {SPARSE_PRODUCT_ATTRS} from './sparse_attrs';
import {tensorflowKernel} from './tensorflow_util';

export const sddConfig = tensorflowKernel<SddInputs, SparseAttrs>(Sdd, {
  inputs: ['a', 'b', 'rowIndices', 'columnIndices'],
  attrs: SPARSE_PRODUCT_ATTRS,
  multiplies: true,
});
