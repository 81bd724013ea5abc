import {
  ActivationGrad,
  type ActivationGradAttrs,
  type ActivationGradInputs,
} from '../../kernel_names';
import {tensorflowKernel} from './tensorflow_util';

export const activationGradConfig = tensorflowKernel<ActivationGradInputs, ActivationGradAttrs>(
  ActivationGrad,
  {
    inputs: ['x', 'dy'],
    attrs: {activation: 'string'},
  },
);
