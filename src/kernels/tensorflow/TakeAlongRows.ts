import {TakeAlongRows, type TakeAlongRowsAttrs, type TakeAlongRowsInputs} from '../../kernel_names';
import {tensorflowKernel} from './tensorflow_util';

export const takeAlongRowsConfig = tensorflowKernel<TakeAlongRowsInputs, TakeAlongRowsAttrs>(
  TakeAlongRows,
  {
    inputs: ['x', 'indices'],
    attrs: {numColumns: 'int'},
  },
);
