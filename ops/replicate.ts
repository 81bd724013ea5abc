import type {Tensor1D, Tensor2D} from '@tensorflow/tfjs-core';
import {assertBins, assertCount, assertOneOf, assertVectors} from '../src/asserts';
import {runKernel} from '../src/kernel';
import {Replicate, type ReplicateAttrs, type ReplicateInputs} from '../src/kernel_names';

/**
 * Repeats the elements of `x` so that element i fills the positions from `bins[i - 1]` up to
 * `bins[i]`.
 *
 * ```js
 * replicate(tf.tensor1d([7, 8, 9]), tf.tensor1d([2, 2, 5], 'int32'), 5).print();  // 7, 7, 9, 9, 9
 * ```
 *
 * Positions from the last bin on are zero. Differentiable in `x`: an element receives the sum of the
 * gradient over its bin.
 *
 * @param x The values, [E] or [batch, E], float32 or int32.
 * @param bins Where each bin ends, [E], int32, ascending: inclusive sums of the counts.
 * @param numOutputs The length of the result. It is static, so that no count is read back.
 * @returns [numOutputs] or [batch, numOutputs], in the dtype of `x`.
 * @throws If a shape or dtype differs from these.
 * @see megablocks.ops.replicate
 */
export function replicate(x: Tensor1D, bins: Tensor1D, numOutputs: number): Tensor1D;
export function replicate<T extends Tensor1D | Tensor2D>(
  x: T,
  bins: Tensor1D,
  numOutputs: number,
): T;
export function replicate<T extends Tensor1D | Tensor2D>(
  x: T,
  bins: Tensor1D,
  numOutputs: number,
): T {
  assertVectors('replicate', 'x', x);
  assertOneOf('replicate', 'the dtype of x', x.dtype, ['float32', 'int32']);
  assertBins('replicate', bins, x.shape[x.rank - 1]);
  assertCount('replicate', 'numOutputs', numOutputs, {min: 0});
  return runKernel<ReplicateInputs, ReplicateAttrs, T>(Replicate, {x, bins}, {numOutputs});
}
