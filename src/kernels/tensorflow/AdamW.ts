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
  ({inputs, attrs, backend}) => {
    const {value, gradient, firstMoment, secondMoment, gradientScale} = inputs;
    const {stepSize, decay, secondMomentScale} = adamWFactors(attrs);
    const {beta1, beta2, epsilon} = attrs;
    const factors = [stepSize, decay, secondMomentScale, beta1, beta2, epsilon];
    return withVector(backend, factors, (factors) =>
      withVector(backend, [1], (one) => {
        const all = [value, gradient, firstMoment, secondMoment, gradientScale ?? one, factors];
        return backend.executeMultipleOutputs(AdamW, [], all, 3);
      }),
    );
  },
);

/** Calls `f` with a tensor of the values, which exists for that long. */
function withVector<T>(backend: TensorFlowBackend, values: number[], f: (x: TensorInfo) => T): T {
  const shape = [values.length];
  const dataId = backend.write(Float32Array.from(values), shape, 'float32');
  try {
    return f({dataId, shape, dtype: 'float32'});
  } finally {
    backend.disposeData(dataId);
  }
}
