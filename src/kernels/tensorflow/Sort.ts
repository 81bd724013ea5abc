import {Sort, type SortAttrs, type SortInputs} from '../../kernel_names';
import {tensorflowKernel} from './tensorflow_util';

export const sortConfig = tensorflowKernel<SortInputs, SortAttrs>(Sort, {
  inputs: ['keys'],
  attrs: {endBit: 'int'},
  numOutputs: 2,
});
