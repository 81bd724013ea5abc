import type {Tensor} from '@tensorflow/tfjs-core';
import {assertCount, assertTensor} from '../src/asserts';
import {runKernel} from '../src/kernel';
import {RoundUp, type RoundUpAttrs, type RoundUpInputs} from '../src/kernel_names';

/**
 * Rounds every element up to a multiple of `multiple`.
 *
 * ```js
 * roundUp(tf.tensor1d([0, 1, 128, 129], 'int32'), 128).print();  // 0, 128, 128, 256
 * ```
 *
 * Not differentiable.
 *
 * @param x Any shape, int32.
 * @param multiple At least 1.
 * @returns In the shape of `x`, int32.
 * @throws If `x` is not int32, or `multiple` not an integer of at least 1.
 * @see megablocks.ops.round_up
 */
export function roundUp<T extends Tensor>(x: T, multiple: number): T {
  assertTensor('roundUp', 'x', x, {dtype: 'int32'});
  assertCount('roundUp', 'multiple', multiple, {min: 1});
  return runKernel<RoundUpInputs, RoundUpAttrs, T>(RoundUp, {x}, {multiple});
}
