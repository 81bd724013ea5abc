import {RoundUp, type RoundUpAttrs, type RoundUpInputs} from '../../kernel_names';
import {tensorflowKernel} from './tensorflow_util';

export const roundUpConfig = tensorflowKernel<RoundUpInputs, RoundUpAttrs>(RoundUp, {
  inputs: ['x'],
  attrs: {multiple: 'int'},
});
