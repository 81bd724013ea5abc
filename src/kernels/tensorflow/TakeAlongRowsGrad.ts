import {
  TakeAlongRowsGrad,
  type TakeAlongRowsGradAttrs,
  type TakeAlongRowsGradInputs,
} from '../../kernel_names';
import {tensorflowKernel} from './tensorflow_util';

export const takeAlongRowsGradConfig = tensorflowKernel<
  TakeAlongRowsGradInputs,
  TakeAlongRowsGradAttrs
>(TakeAlongRowsGrad, {
  inputs: ['dy', 'indices'],
  attrs: {numColumns: 'int'},
});
