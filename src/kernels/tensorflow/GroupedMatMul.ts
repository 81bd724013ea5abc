import {GroupedMatMul, type GroupedMatMulAttrs, type GroupedMatMulInputs} from '../../kernel_names';
import {tensorflowKernel} from './tensorflow_util';

export const groupedMatMulConfig = tensorflowKernel<GroupedMatMulInputs, GroupedMatMulAttrs>(
  GroupedMatMul,
  {
    inputs: ['a', 'b', 'bins'],
    attrs: {transposeA: 'bool', transposeB: 'bool'},
    multiplies: true,
  },
);
