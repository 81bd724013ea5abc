import type {Tensor1D} from '@tensorflow/tfjs-core';
import {assertBins, assertCount} from '../src/asserts';
import {runKernel} from '../src/kernel';
import {Topology, type TopologyAttrs, type TopologyInputs} from '../src/kernel_names';

/**
 * The block columns of the block-diagonal matrix whose diagonal blocks are the products of each
 * expert's rows with its own features.
 *
 * ```js
 * // Two experts of one and two block-rows, two block columns each.
 * topology(tf.tensor1d([4, 12], 'int32'), 4, 4, 2).print();  // 0, 1, 2, 3, 2, 3, -1, -1
 * ```
 *
 * A block-row of expert e holds the block columns from `e * blocksPerRow` up to
 * `(e + 1) * blocksPerRow`. Not differentiable.
 *
 * @param paddedBins Where each expert's rows end, [E], int32, multiples of `blockSize`.
 * @param blockSize The rows of a block.
 * @param blockRows The block-rows of the matrix. It is static: those beyond the last bin are empty.
 * @param blocksPerRow The blocks of each block-row.
 * @returns The columns, block-row by block-row, [blockRows * blocksPerRow], int32; -1 in the
 *     block-rows beyond the last bin.
 * @throws If `paddedBins` is not an int32 vector, or a size not an integer of at least 1 (`blockRows`
 *     of at least 0).
 * @see megablocks.ops.topology
 */
export function topology(
  paddedBins: Tensor1D,
  blockSize: number,
  blockRows: number,
  blocksPerRow: number,
): Tensor1D {
  assertBins('topology', paddedBins, undefined, 'paddedBins');
  assertCount('topology', 'blockSize', blockSize, {min: 1});
  assertCount('topology', 'blockRows', blockRows, {min: 0});
  assertCount('topology', 'blocksPerRow', blocksPerRow, {min: 1});
  return runKernel<TopologyInputs, TopologyAttrs, Tensor1D>(
    Topology,
    {paddedBins},
    {blockSize, blockRows, blocksPerRow},
  );
}
