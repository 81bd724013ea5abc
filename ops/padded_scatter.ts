import type {Tensor1D, Tensor2D} from '@tensorflow/tfjs-core';
import {assertBins, assertTensor} from '../src/asserts';
import {assertBinIds, assertScatterArgs, runScatter} from './permutation_util';

/**
 * Brings padded rows in expert order back to their tokens: the weighted sum over the copies of each
 * token. The inverse of `paddedGather`.
 *
 * ```js
 * const [binIds, indices] = sort(tf.tensor1d([1, 0, 1], 'int32'), 1);
 * const bins = tf.tensor1d([1, 3], 'int32');
 * const padded = tf.tensor1d([2, 4], 'int32');
 * const rows = tf.tensor2d([[2], [0], [1], [3]]);
 * paddedScatter(rows, indices, binIds, null, bins, padded, 1).print();  // [[1], [2], [3]]
 * ```
 *
 * Rows of padding are not read. Differentiable in `x` (rows of padding receive zero) and `weights`.
 *
 * @param x The rows in expert order, padded, [rows, H], float32.
 * @param indices The copies (token * topK + j) in expert order, [N], int32: the permutation of `sort`.
 * @param binIds The expert of each of `indices`, [N], int32. The order of the arguments is
 *     MegaBlocks'; `bins` already says it.
 * @param weights The weight of each copy, by token, [N], float32; null for weights of 1.
 * @param bins Where each expert's copies end, [E], int32.
 * @param paddedBins Where each expert's rows end, [E], int32: `paddedBins` of the counts.
 * @param topK How many experts each token went to.
 * @returns The tokens, [N / topK, H], float32.
 * @throws If a shape or dtype differs from these.
 * @see megablocks.ops.padded_scatter
 */
export function paddedScatter(
  x: Tensor2D,
  indices: Tensor1D,
  binIds: Tensor1D,
  weights: Tensor1D | null,
  bins: Tensor1D,
  paddedBins: Tensor1D,
  topK: number,
): Tensor2D {
  assertScatterArgs('paddedScatter', {indices, weights, bins, topK});
  assertBinIds('paddedScatter', binIds, indices);
  assertBins('paddedScatter', paddedBins, bins.size, 'paddedBins');
  assertTensor('paddedScatter', 'x', x, {rank: 2, dtype: 'float32'});
  return runScatter({x, indices, bins, paddedBins}, weights, {
    layout: 'padded',
    topK,
    numRows: x.shape[0],
  });
}
