import {Dds, type DdsInputs, SPARSE_INDEX, type SparseAttrs} from '../../kernel_names';
import {SPARSE_PRODUCT_ATTRS} from './sparse_attrs';
import {tensorflowKernel} from './tensorflow_util';

export const ddsConfig = tensorflowKernel<DdsInputs, SparseAttrs>(Dds, {
  inputs: ['a', 'values', ...SPARSE_INDEX],
  attrs: SPARSE_PRODUCT_ATTRS,
  multiplies: true,
});
