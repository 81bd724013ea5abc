import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import {kernelConfig} from '../../kernel';
import {AdamW, type AdamWAttrs, type AdamWInputs} from '../../kernel_names';
import {adamWFactors} from '../shared/AdamW_impl';
import {floats} from './cpu_util';

export const adamWConfig = kernelConfig<AdamWInputs, AdamWAttrs, MathBackendCPU>(
  AdamW,
  'cpu',
  ({inputs, attrs, backend}) => {
    const {beta1, beta2, epsilon} = attrs;
    const {stepSize, decay, secondMomentScale} = adamWFactors(attrs);
    const gradient = floats(backend, inputs.gradient);
    const scale = inputs.gradientScale == null ? 1 : floats(backend, inputs.gradientScale)[0];
    const value = floats(backend, inputs.value).slice();
    const firstMoment = floats(backend, inputs.firstMoment).slice();
    const secondMoment = floats(backend, inputs.secondMoment).slice();
    const size = Number.isFinite(scale) ? value.length : 0;
    for (let i = 0; i < size; i++) {
      const g = scale * gradient[i];
      firstMoment[i] = beta1 * firstMoment[i] + (1 - beta1) * g;
      secondMoment[i] = beta2 * secondMoment[i] + (1 - beta2) * g * g;
      const deviation = Math.sqrt(secondMoment[i] * secondMomentScale) + epsilon;
      value[i] = decay * value[i] - (stepSize * firstMoment[i]) / deviation;
    }
    return [value, firstMoment, secondMoment].map((values) =>
      backend.makeTensorInfo(inputs.value.shape, 'float32', values),
    );
  },
);
