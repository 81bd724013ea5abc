import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {util} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {AdamW, type AdamWAttrs, type AdamWInputs} from '../../kernel_names';
import {adamWFactors} from '../shared/AdamW_impl';
import {assembly} from './assembly_module';
import {address} from './wasm_util';

export const adamWConfig = kernelConfig<AdamWInputs, AdamWAttrs, BackendWasm>(
  AdamW,
  'wasm',
  ({inputs: {value, gradient, firstMoment, secondMoment}, attrs, backend}) => {
    const {stepSize, decay, secondMomentScale} = adamWFactors(attrs);
    const outputs = [value, firstMoment, secondMoment].map(({shape}) =>
      backend.makeOutput(shape, 'float32'),
    );
    const [newValue, newFirstMoment, newSecondMoment] = outputs.map((x) => address(backend, x));
    assembly(backend).adamW(
      util.sizeFromShape(value.shape),
      address(backend, value),
      address(backend, gradient),
      address(backend, firstMoment),
      address(backend, secondMoment),
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
