import type {Tensor1D, Tensor2D} from '@tensorflow/tfjs-core';
import {assertCount, assertVectors} from '../src/asserts';
import {runKernel} from '../src/kernel';
import {Histogram, type HistogramAttrs, type HistogramInputs} from '../src/kernel_names';

/**
 * Counts how often each of the integers from 0 to `max - 1` occurs.
 *
 * ```js
 * histogram(tf.tensor1d([2, 0, 1, 0, 7], 'int32'), 4).print();  // 2, 1, 1, 0
 * ```
 *
 * Values out of range are ignored. Not differentiable.
 *
 * @param x The values, [N] or [batch, N], int32.
 * @param max The number of counts.
 * @returns The counts, [max] or [batch, max], int32.
 * @throws If `x` is not int32 of rank 1 or 2, or `max` not an integer of at least 0.
 * @see megablocks.ops.histogram
 */
export function histogram(x: Tensor1D, max: number): Tensor1D;
export function histogram<T extends Tensor1D | Tensor2D>(x: T, max: number): T;
export function histogram<T extends Tensor1D | Tensor2D>(x: T, max: number): T {
  assertVectors('histogram', 'x', x, {dtype: 'int32'});
  assertCount('histogram', 'max', max, {min: 0});
  return runKernel<HistogramInputs, HistogramAttrs, T>(Histogram, {x}, {max});
}
