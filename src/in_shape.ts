import {reshape, type Tensor, util} from '@tensorflow/tfjs-core';

/**
 * A tensor in a shape: itself where it has it already. To reshape it to the same, as tfjs does, is a kernel
 * forward and one backward (TensorFlow on a CPU: 0.06 ms each).
 */
export function inShape(x: Tensor, shape: number[]): Tensor {
  return util.arraysEqual(x.shape, shape) ? x : reshape(x, shape);
}
