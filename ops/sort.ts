import type {Tensor1D} from '@tensorflow/tfjs-core';
import {assertCount, assertTensor} from '../src/asserts';
import {runKernel} from '../src/kernel';
import {Sort, type SortAttrs, type SortInputs} from '../src/kernel_names';

/**
 * Sorts integers in ascending order, and says where each came from. Stable: equal keys keep their
 * order.
 *
 * ```js
 * const [sorted, indices] = sort(tf.tensor1d([2, 0, 1, 0], 'int32'));
 * sorted.print();  // 0, 0, 1, 2
 * indices.print();  // 1, 3, 2, 0
 * ```
 *
 * Not differentiable.
 *
 * @param x The keys, [N], int32.
 * @param endBit How many low bits to sort by, from 1 to 32: `Math.ceil(Math.log2(E))` suffice for
 *     keys below E, and the fewer the faster. All 32 order as signed integers, fewer by the value of
 *     these bits alone.
 * @returns The sorted keys and the permutation, `sorted[i] = x[indices[i]]`, both [N], int32.
 * @throws If `x` is not an int32 vector or `endBit` not an integer from 1 to 32.
 * @see megablocks.ops.sort
 */
export function sort(x: Tensor1D, endBit = 32): [sorted: Tensor1D, indices: Tensor1D] {
  assertTensor('sort', 'x', x, {rank: 1, dtype: 'int32'});
  assertCount('sort', 'endBit', endBit, {min: 1, max: 32});
  return runKernel<SortInputs, SortAttrs, [Tensor1D, Tensor1D]>(Sort, {keys: x}, {endBit});
}
