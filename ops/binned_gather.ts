import type {Tensor1D, Tensor2D, Tensor3D} from '@tensorflow/tfjs-core';
import {assertCount} from '../src/asserts';
import {runKernel} from '../src/kernel';
import {Gather, type GatherAttrs, type GatherInputs} from '../src/kernel_names';
import {assertGatherArgs} from './permutation_util';

/**
 * Copies each token to its experts, each of which has `binSize` rows: copies beyond them are dropped,
 * rows that none fills are zero.
 *
 * ```js
 * // Three tokens, of which one goes to expert 0 and two to expert 1.
 * const [, indices] = sort(tf.tensor1d([1, 0, 1], 'int32'), 1);
 * const bins = tf.tensor1d([1, 3], 'int32');
 * binnedGather(tf.tensor2d([[1], [2], [3]]), indices, bins, 1, 1).print();  // [[[2]], [[1]]]
 * ```
 *
 * The first come stay: with the stable permutation of `sort`, copies of earlier tokens. Differentiable
 * in `x`: a token receives the sum of the gradient over its copies that were not dropped.
 *
 * @param x The tokens, [T, H], float32.
 * @param indices The copies (token * topK + j) in expert order, [N], int32: the permutation of `sort`.
 * @param bins Where each expert's copies end, [E], int32.
 * @param binSize The rows of each expert, its capacity.
 * @param topK How many experts each token goes to.
 * @returns [E, binSize, H], float32.
 * @throws If a shape or dtype differs from these, or `binSize` is not an integer of at least 0.
 * @see megablocks.ops.binned_gather
 */
export function binnedGather(
  x: Tensor2D,
  indices: Tensor1D,
  bins: Tensor1D,
  binSize: number,
  topK: number,
): Tensor3D {
  assertGatherArgs('binnedGather', {x, indices, bins, topK});
  assertCount('binnedGather', 'binSize', binSize, {min: 0});
  return runKernel<GatherInputs, GatherAttrs, Tensor3D>(
    Gather,
    {x, indices, bins, paddedBins: bins},
    {layout: 'binned', topK, numRows: binSize},
  );
}
