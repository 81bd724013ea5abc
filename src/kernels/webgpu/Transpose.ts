import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {type TensorInfo, Transpose, type TransposeAttrs} from '@tensorflow/tfjs-core';
import {kernelConfig, replacedKernel} from '../../kernel';

/**
 * tf.transpose; one that moves nothing shares the data, and tfjs' own copies it. Dense layers transpose
 * the weights so, in every step.
 */
export const transposeConfig = kernelConfig<Record<'x', TensorInfo>, TransposeAttrs, WebGPUBackend>(
  Transpose,
  'webgpu',
  (args) => {
    const {
      inputs: {x},
      attrs: {perm},
      backend,
    } = args;
    if (perm.some((axis, i) => axis !== i)) {
      return replacedKernel(Transpose, 'webgpu')(args);
    }
    backend.incRef(x.dataId);
    return {dataId: x.dataId, shape: x.shape, dtype: x.dtype};
  },
);
