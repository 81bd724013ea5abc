import type {TensorInfo} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {AdamW, type AdamWAttrs, type AdamWInputs} from '../../kernel_names';
import {adamWFactors} from '../shared/AdamW_impl';
import type {TensorFlowBackend} from './tensorflow_util';

/**
 * What depends on the step goes into the op as a tensor: TensorFlow keeps a kernel for every set of
 * attributes that it has seen.
 */
export const adamWConfig = kernelConfig<AdamWInputs, AdamWAttrs, TensorFlowBackend>(
  AdamW,
  'tensorflow',
  ({inputs: {value, gradient, firstMoment, secondMoment}, attrs, backend}) => {
    const {stepSize, decay, secondMomentScale} = adamWFactors(attrs);
    const {beta1, beta2, epsilon} = attrs;
    const values = Float32Array.of(stepSize, decay, secondMomentScale, beta1, beta2, epsilon);
    const dataId = backend.write(values, [values.length], 'float32');
    const factors: TensorInfo = {dataId, shape: [values.length], dtype: 'float32'};
    try {
      const all = [value, gradient, firstMoment, secondMoment, factors];
      return backend.executeMultipleOutputs(AdamW, [], all, 3);
    } finally {
      backend.disposeData(dataId);
    }
  },
);
