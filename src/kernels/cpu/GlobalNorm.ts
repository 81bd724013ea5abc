import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import {kernelConfig} from '../../kernel';
import {GlobalNorm, type GlobalNormInputs} from '../../kernel_names';
import {floats} from './cpu_util';

export const globalNormConfig = kernelConfig<GlobalNormInputs, object, MathBackendCPU>(
  GlobalNorm,
  'cpu',
  ({inputs, backend}) => {
    let squares = 0;
    for (const x of Object.values(inputs)) {
      for (const value of floats(backend, x)) {
        squares += value * value;
      }
    }
    return backend.makeTensorInfo([], 'float32', Float32Array.of(Math.sqrt(squares)));
  },
);
