import {Activation, type ActivationAttrs, type ActivationInputs} from '../../kernel_names';
import {tensorflowKernel} from './tensorflow_util';

export const activationConfig = tensorflowKernel<ActivationInputs, ActivationAttrs>(Activation, {
  inputs: ['x'],
  attrs: {activation: 'string'},
});
