import type {Tensor1D, Tensor2D} from '@tensorflow/tfjs-core';
import {runKernel} from '../src/kernel';
import {Gather, type GatherAttrs, type GatherInputs} from '../src/kernel_names';
import {assertBinIds, assertGatherArgs} from './permutation_util';

/**
 * Copies each token to its experts: the rows in expert order, N = T * topK of them.
 *
 * ```js
 * // Four tokens, two experts each: 1 and 0, 1 and 2, 0 and 1, 1 and 3.
 * const experts = tf.tensor1d([1, 0, 1, 2, 0, 1, 1, 3], 'int32');
 * const [binIds, indices] = sort(experts, 2);
 * const bins = inclusiveCumsum(histogram(experts, 4));
 * gather(tf.tensor2d([[0], [1], [2], [3]]), indices, binIds, bins, 2).print();
 * // [[0], [2], [0], [1], [2], [3], [1], [3]]
 * ```
 *
 * Row p of the result is `x[floor(indices[p] / topK)]`. Differentiable in `x`: a token receives the
 * sum of the gradient over its copies.
 *
 * @param x The tokens, [T, H], float32.
 * @param indices The copies (token * topK + j) in expert order, [N], int32: the permutation of `sort`.
 * @param binIds The expert of each of `indices`, [N], int32. The order of the arguments is
 *     MegaBlocks'; `bins` already says it.
 * @param bins Where each expert's copies end, [E], int32.
 * @param topK How many experts each token goes to.
 * @returns The rows in expert order, [N, H], float32.
 * @throws If a shape or dtype differs from these.
 * @see megablocks.ops.gather
 */
export function gather(
  x: Tensor2D,
  indices: Tensor1D,
  binIds: Tensor1D,
  bins: Tensor1D,
  topK: number,
): Tensor2D {
  assertGatherArgs('gather', {x, indices, bins, topK});
  assertBinIds('gather', binIds, indices);
  return runKernel<GatherInputs, GatherAttrs, Tensor2D>(
    Gather,
    {x, indices, bins, paddedBins: bins},
    {layout: 'packed', topK, numRows: indices.size},
  );
}
