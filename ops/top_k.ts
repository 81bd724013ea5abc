import type {Tensor2D} from '@tensorflow/tfjs-core';
import {assertCount, assertTensor} from '../src/asserts';
import {runKernel} from '../src/kernel';
import {
  TakeAlongRows,
  type TakeAlongRowsAttrs,
  type TakeAlongRowsInputs,
  TopKIndices,
  type TopKIndicesAttrs,
  type TopKIndicesInputs,
} from '../src/kernel_names';
import {stopGradient} from './stop_gradient';

/**
 * The k largest values of each row, in descending order, and their columns.
 *
 * ```js
 * const {values, indices} = topK(tf.tensor2d([[1, 3, 2], [5, 4, 5]]), 2);
 * values.print();  // [[3, 2], [5, 5]]
 * indices.print();  // [[1, 2], [0, 2]]
 * ```
 *
 * Ties go to the lowest column. NaN counts as the largest value: a row that has one still gets k
 * different columns, and its values show it. The values are differentiable (tf.topk has no
 * gradient); the indices are cut from the tape.
 *
 * @param x [T, E], float32.
 * @param k From 1 to E.
 * @returns The values, [T, k], float32, and the indices, [T, k], int32.
 * @throws If `x` is not a float32 matrix, or `k` not an integer from 1 to E.
 * @see megablocks.layers.router.LearnedRouter
 */
export function topK(x: Tensor2D, k: number): {values: Tensor2D; indices: Tensor2D} {
  assertTensor('topK', 'x', x, {rank: 2, dtype: 'float32'});
  assertCount('topK', 'k', k, {min: 1, max: x.shape[1]});
  const cut = stopGradient(x);
  const indices = runKernel<TopKIndicesInputs, TopKIndicesAttrs, Tensor2D>(
    TopKIndices,
    {x: cut},
    {k},
  );
  cut.dispose();
  const values = runKernel<TakeAlongRowsInputs, TakeAlongRowsAttrs, Tensor2D>(
    TakeAlongRows,
    {x, indices},
    {numColumns: x.shape[1]},
  );
  return {values, indices};
}
