import {softmax as softmaxOfTfjs, type Tensor} from '@tensorflow/tfjs-core';
import {assert, assertTensor} from '../src/asserts';
import {inShape} from '../src/in_shape';
import {hasKernels, runKernel} from '../src/kernel';
import {Softmax, SoftmaxGrad, type SoftmaxInputs} from '../src/kernel_names';

/**
 * The softmax over the last axis, in one kernel forward and one backward on webgpu. On other backends it is
 * tf.softmax.
 *
 * ```js
 * softmax(tf.tensor1d([0, Math.log(3)])).print();  // [0.25, 0.75]
 * ```
 *
 * @param logits [..., E], float32. A row with NaN or an infinite largest logit gives NaN; on webgl, one of -Infinity
 *     alone gives 1, since tf.max is -1e20 there.
 * @returns The shape of `logits`. Differentiable.
 * @throws If `logits` is a scalar or not float32.
 * @see tf.softmax
 */
export function softmax<T extends Tensor>(logits: T): T {
  assertTensor('softmax', 'logits', logits, {dtype: 'float32'});
  assert(logits.rank >= 1, () => 'softmax: logits must have rank 1 or more, got a scalar');
  if (!hasKernels(Softmax, SoftmaxGrad)) {
    return softmaxOfTfjs(logits);
  }
  const size = logits.shape[logits.rank - 1];
  const numRows = logits.shape.slice(0, -1).reduce((a, b) => a * b, 1);
  const y = runKernel<SoftmaxInputs, object>(Softmax, {logits: inShape(logits, [numRows, size])});
  return inShape(y, logits.shape) as T;
}
