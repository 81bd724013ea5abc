import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {util} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {AdamW, type AdamWAttrs, type AdamWInputs} from '../../kernel_names';
import {adamWFactors} from '../shared/AdamW_impl';
import {assembly} from './assembly_module';
import {address, floats, makeOutput} from './wasm_util';

export const adamWConfig = kernelConfig<AdamWInputs, AdamWAttrs, BackendWasm>(
  AdamW,
  'wasm',
  ({inputs, attrs, backend}) => {
    const {value, gradient, firstMoment, secondMoment, gradientScale} = inputs;
    const {stepSize, decay, secondMomentScale} = adamWFactors(attrs);
    const outputs = [value, firstMoment, secondMoment].map(({shape}) =>
      makeOutput(backend, shape, 'float32'),
    );
    const scale = gradientScale == null ? 1 : floats(backend, gradientScale)[0];
    if (!Number.isFinite(scale)) {
      [value, firstMoment, secondMoment].forEach((x, i) =>
        floats(backend, outputs[i]).set(floats(backend, x)),
      );
      return outputs;
    }
    const [newValue, newFirstMoment, newSecondMoment] = outputs.map((x) => address(backend, x));
    assembly(backend).adamW(
      util.sizeFromShape(value.shape),
      address(backend, value),
      address(backend, gradient),
      address(backend, firstMoment),
      address(backend, secondMoment),
      scale,
      attrs.beta1,
      attrs.beta2,
      attrs.epsilon,
      stepSize,
      decay,
      secondMomentScale,
      newValue,
      newFirstMoment,
      newSecondMoment,
    );
    return outputs;
  },
);
