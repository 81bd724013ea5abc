import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import {kernelConfig} from '../../kernel';
import {
  ActivationGrad,
  type ActivationGradAttrs,
  type ActivationGradInputs,
} from '../../kernel_names';
import {ACTIVATION_FUNCTIONS} from './activation_functions';
import {floats} from './cpu_util';

export const activationGradConfig = kernelConfig<
  ActivationGradInputs,
  ActivationGradAttrs,
  MathBackendCPU
>(ActivationGrad, 'cpu', ({inputs: {x, dy}, attrs, backend}) => {
  const {derivative} = ACTIVATION_FUNCTIONS[attrs.activation];
  const dyValues = floats(backend, dy);
  const dx = floats(backend, x).map((value, i) => derivative(value) * dyValues[i]);
  return backend.makeTensorInfo(x.shape, 'float32', dx);
});
