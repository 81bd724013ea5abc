import {Sdd, type SddInputs, SPARSE_INDEX, type SparseAttrs} from '../../kernel_names';
import {SPARSE_PRODUCT_ATTRS} from './sparse_attrs';
import {tensorflowKernel} from './tensorflow_util';

export const sddConfig = tensorflowKernel<SddInputs, SparseAttrs>(Sdd, {
  inputs: ['a', 'b', ...SPARSE_INDEX],
  attrs: SPARSE_PRODUCT_ATTRS,
  multiplies: true,
});
