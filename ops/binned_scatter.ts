import type {Tensor1D, Tensor2D, Tensor3D} from '@tensorflow/tfjs-core';
import {assertTensor} from '../src/asserts';
import {assertScatterArgs, runScatter} from './permutation_util';

/**
 * Brings the rows of each expert's bin back to their tokens: the weighted sum over the copies of each
 * token. The inverse of `binnedGather`.
 *
 * ```js
 * const [, indices] = sort(tf.tensor1d([1, 0, 1], 'int32'), 1);
 * const bins = tf.tensor1d([1, 3], 'int32');
 * // One row an expert: the second copy of expert 1 was dropped.
 * binnedScatter(tf.tensor3d([[[2]], [[1]]]), indices, null, bins, 1).print();  // [[1], [2], [0]]
 * ```
 *
 * Copies that were dropped count as zero, and so do their gradients. Differentiable in `x` and
 * `weights`.
 *
 * @param x The rows of each expert, [E, binSize, H], float32.
 * @param indices The copies (token * topK + j) in expert order, [N], int32: the permutation of `sort`.
 * @param weights The weight of each copy, by token, [N], float32; null for weights of 1.
 * @param bins Where each expert's copies end, [E], int32.
 * @param topK How many experts each token went to.
 * @returns The tokens, [N / topK, H], float32.
 * @throws If a shape or dtype differs from these.
 * @see megablocks.ops.binned_scatter
 */
export function binnedScatter(
  x: Tensor3D,
  indices: Tensor1D,
  weights: Tensor1D | null,
  bins: Tensor1D,
  topK: number,
): Tensor2D {
  assertScatterArgs('binnedScatter', {indices, weights, bins, topK});
  assertTensor('binnedScatter', 'x', x, {dtype: 'float32', shape: [bins.size, null, null]});
  return runScatter({x, indices, bins, paddedBins: bins}, weights, {
    layout: 'binned',
    topK,
    numRows: x.shape[1],
  });
}
