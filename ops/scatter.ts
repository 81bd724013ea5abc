import type {Tensor1D, Tensor2D} from '@tensorflow/tfjs-core';
import {assertTensor} from '../src/asserts';
import {assertBinIds, assertScatterArgs, runScatter} from './permutation_util';

/**
 * Brings rows in expert order back to their tokens: the weighted sum over the copies of each token.
 *
 * ```js
 * const [binIds, indices] = sort(tf.tensor1d([1, 0, 0, 1], 'int32'), 1);
 * const bins = tf.tensor1d([2, 4], 'int32');
 * const rows = tf.tensor2d([[1], [2], [3], [4]]);
 * // The copies of token 0 lie in rows 2 and 0, those of token 1 in rows 1 and 3.
 * scatter(rows, indices, binIds, tf.tensor1d([0.5, 0.5, 1, 0]), bins, 2).print();  // [[2], [2]]
 * ```
 *
 * Token t of the result is the sum over j of `weights[t * topK + j]` times the row of that copy; it
 * is always summed in this order. Differentiable in `x` and `weights`.
 *
 * @param x The rows in expert order, [N, H], float32.
 * @param indices The copies (token * topK + j) in expert order, [N], int32: the permutation of `sort`.
 * @param binIds The expert of each of `indices`, [N], int32. The order of the arguments is
 *     MegaBlocks'; `bins` already says it.
 * @param weights The weight of each copy, by token, [N], float32; null for weights of 1.
 * @param bins Where each expert's copies end, [E], int32.
 * @param topK How many experts each token went to.
 * @returns The tokens, [N / topK, H], float32.
 * @throws If a shape or dtype differs from these.
 * @see megablocks.ops.scatter
 */
export function scatter(
  x: Tensor2D,
  indices: Tensor1D,
  binIds: Tensor1D,
  weights: Tensor1D | null,
  bins: Tensor1D,
  topK: number,
): Tensor2D {
  assertScatterArgs('scatter', {indices, weights, bins, topK});
  assertBinIds('scatter', binIds, indices);
  assertTensor('scatter', 'x', x, {dtype: 'float32', shape: [indices.size, null]});
  return runScatter({x, indices, bins, paddedBins: bins}, weights, {
    layout: 'packed',
    topK,
    numRows: indices.size,
  });
}
