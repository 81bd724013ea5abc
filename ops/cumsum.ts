import type {Tensor1D, Tensor2D} from '@tensorflow/tfjs-core';
import {assertVectors} from '../src/asserts';
import {runKernel} from '../src/kernel';
import {Cumsum, type CumsumAttrs, type CumsumInputs} from '../src/kernel_names';

/**
 * Sums each element with all those before it, along the last axis. Of the counts of each expert this
 * makes the bins: where each expert's rows end.
 *
 * ```js
 * inclusiveCumsum(tf.tensor1d([2, 4, 1], 'int32')).print();  // 2, 6, 7
 * ```
 *
 * Not differentiable.
 *
 * @param x [N] or [batch, N], int32.
 * @returns The sums, in the shape of `x`, int32.
 * @throws If `x` is not int32 of rank 1 or 2.
 * @see megablocks.ops.inclusive_cumsum
 */
export function inclusiveCumsum(x: Tensor1D): Tensor1D;
export function inclusiveCumsum<T extends Tensor1D | Tensor2D>(x: T): T;
export function inclusiveCumsum<T extends Tensor1D | Tensor2D>(x: T): T {
  assertVectors('inclusiveCumsum', 'x', x, {dtype: 'int32'});
  return runKernel<CumsumInputs, CumsumAttrs, T>(Cumsum, {x}, {exclusive: false});
}

/**
 * Sums all elements before each, along the last axis: where each expert's rows begin.
 *
 * ```js
 * exclusiveCumsum(tf.tensor1d([2, 4, 1], 'int32')).print();  // 0, 2, 6
 * ```
 *
 * Not differentiable.
 *
 * @param x [N] or [batch, N], int32.
 * @returns The sums, in the shape of `x`, int32.
 * @throws If `x` is not int32 of rank 1 or 2.
 * @see megablocks.ops.exclusive_cumsum
 */
export function exclusiveCumsum(x: Tensor1D): Tensor1D;
export function exclusiveCumsum<T extends Tensor1D | Tensor2D>(x: T): T;
export function exclusiveCumsum<T extends Tensor1D | Tensor2D>(x: T): T {
  assertVectors('exclusiveCumsum', 'x', x, {dtype: 'int32'});
  return runKernel<CumsumInputs, CumsumAttrs, T>(Cumsum, {x}, {exclusive: true});
}
