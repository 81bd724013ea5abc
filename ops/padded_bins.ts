import type {Tensor1D} from '@tensorflow/tfjs-core';
import {assertCount, assertTensor} from '../src/asserts';
import {runKernel} from '../src/kernel';
import {PaddedBins, type PaddedBinsAttrs, type PaddedBinsInputs} from '../src/kernel_names';

/**
 * Where each expert's rows end when each expert is padded to a multiple of the block size.
 *
 * ```js
 * paddedBins(tf.tensor1d([2, 4, 0, 5], 'int32'), 4).print();  // 4, 8, 8, 16
 * ```
 *
 * The same as `inclusiveCumsum(roundUp(tokensPerExpert, blockSize))`, in one kernel. Not
 * differentiable.
 *
 * @param tokensPerExpert The counts, [E], int32.
 * @param blockSize At least 1.
 * @returns [E], int32, ascending.
 * @throws If `tokensPerExpert` is not an int32 vector, or `blockSize` not an integer of at least 1.
 * @see megablocks.layers.dmoe.ParallelDroplessMLP.indices_and_padded_bins
 */
export function paddedBins(tokensPerExpert: Tensor1D, blockSize: number): Tensor1D {
  assertTensor('paddedBins', 'tokensPerExpert', tokensPerExpert, {rank: 1, dtype: 'int32'});
  assertCount('paddedBins', 'blockSize', blockSize, {min: 1});
  return runKernel<PaddedBinsInputs, PaddedBinsAttrs, Tensor1D>(
    PaddedBins,
    {tokensPerExpert},
    {blockSize},
  );
}

/**
 * How many rows the padded layout has at most, however the tokens are routed: every expert that
 * receives any adds at most `blockSize - 1` rows of padding. It is what `paddedGather` returns, so
 * that no count is read back.
 *
 * ```js
 * paddedRowCount(8, 5, 4);  // 20
 * ```
 *
 * @param numRows N, the routed rows: tokens times top-k.
 * @param numExperts E.
 * @param blockSize B.
 * @returns `B * floor((N + min(E, N) * (B - 1)) / B)`.
 * @throws If an argument is not an integer, of at least 0 (`blockSize` of at least 1).
 */
export function paddedRowCount(numRows: number, numExperts: number, blockSize: number): number {
  assertCount('paddedRowCount', 'numRows', numRows, {min: 0});
  assertCount('paddedRowCount', 'numExperts', numExperts, {min: 0});
  assertCount('paddedRowCount', 'blockSize', blockSize, {min: 1});
  const mostRows = numRows + Math.min(numExperts, numRows) * (blockSize - 1);
  return blockSize * Math.floor(mostRows / blockSize);
}
