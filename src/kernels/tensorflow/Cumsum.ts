import {Cumsum, type CumsumAttrs, type CumsumInputs} from '../../kernel_names';
import {tensorflowKernel} from './tensorflow_util';

export const cumsumConfig = tensorflowKernel<CumsumInputs, CumsumAttrs>(Cumsum, {
  inputs: ['x'],
  attrs: {exclusive: 'bool'},
});
