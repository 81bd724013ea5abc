import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import {kernelConfig} from '../../kernel';
import {Activation, type ActivationAttrs, type ActivationInputs} from '../../kernel_names';
import {ACTIVATION_FUNCTIONS} from './activation_functions';
import {floats} from './cpu_util';

export const activationConfig = kernelConfig<ActivationInputs, ActivationAttrs, MathBackendCPU>(
  Activation,
  'cpu',
  ({inputs: {x}, attrs, backend}) => {
    const {apply} = ACTIVATION_FUNCTIONS[attrs.activation];
    return backend.makeTensorInfo(x.shape, 'float32', floats(backend, x).map(apply));
  },
);
