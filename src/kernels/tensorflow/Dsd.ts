import {Dsd, type DsdInputs, SPARSE_INDEX, type SparseAttrs} from '../../kernel_names';
import {SPARSE_PRODUCT_ATTRS} from './sparse_attrs';
import {tensorflowKernel} from './tensorflow_util';

export const dsdConfig = tensorflowKernel<DsdInputs, SparseAttrs>(Dsd, {
  inputs: ['values', 'b', ...SPARSE_INDEX],
  attrs: SPARSE_PRODUCT_ATTRS,
  multiplies: true,
});
