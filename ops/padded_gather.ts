import type {Tensor1D, Tensor2D} from '@tensorflow/tfjs-core';
import {assertBins, assertCount} from '../src/asserts';
import {runKernel} from '../src/kernel';
import {Gather, type GatherAttrs, type GatherInputs} from '../src/kernel_names';
import {paddedRowCount} from './padded_bins';
import {assertBinIds, assertGatherArgs} from './permutation_util';

/**
 * Copies each token to its experts, each expert's rows padded with zeros to a multiple of the block
 * size.
 *
 * ```js
 * // Three tokens, of which one goes to expert 0 and two to expert 1; blocks of two rows.
 * const [binIds, indices] = sort(tf.tensor1d([1, 0, 1], 'int32'), 1);
 * const bins = tf.tensor1d([1, 3], 'int32');
 * const padded = tf.tensor1d([2, 4], 'int32');
 * paddedGather(tf.tensor2d([[1], [2], [3]]), indices, binIds, bins, padded, 1, 2).print();
 * // [[2], [0], [1], [3]]
 * ```
 *
 * The result has the rows of the static bound `paddedRowCount`, so that no count is read back; those
 * beyond the last of `paddedBins` are zero. Differentiable in `x`: a token receives the sum of the
 * gradient over its copies.
 *
 * @param x The tokens, [T, H], float32.
 * @param indices The copies (token * topK + j) in expert order, [N], int32: the permutation of `sort`.
 * @param binIds The expert of each of `indices`, [N], int32. The order of the arguments is
 *     MegaBlocks'; `bins` already says it.
 * @param bins Where each expert's copies end, [E], int32.
 * @param paddedBins Where each expert's rows end, [E], int32: `paddedBins` of the counts.
 * @param topK How many experts each token goes to.
 * @param blockSize What `paddedBins` are multiples of, 128 unless told.
 * @returns [paddedRowCount(N, E, blockSize), H], float32.
 * @throws If a shape or dtype differs from these.
 * @see megablocks.ops.padded_gather
 */
export function paddedGather(
  x: Tensor2D,
  indices: Tensor1D,
  binIds: Tensor1D,
  bins: Tensor1D,
  paddedBins: Tensor1D,
  topK: number,
  blockSize = 128,
): Tensor2D {
  assertGatherArgs('paddedGather', {x, indices, bins, topK});
  assertBinIds('paddedGather', binIds, indices);
  assertBins('paddedGather', paddedBins, bins.size, 'paddedBins');
  assertCount('paddedGather', 'blockSize', blockSize, {min: 1});
  const numRows = paddedRowCount(indices.size, bins.size, blockSize);
  return runKernel<GatherInputs, GatherAttrs, Tensor2D>(
    Gather,
    {x, indices, bins, paddedBins},
    {layout: 'padded', topK, numRows},
  );
}
