import type {Tensor1D} from '@tensorflow/tfjs-core';
import {assert, assertCount, assertTensor, MAX_INT32} from '../src/asserts';
import {runKernel} from '../src/kernel';
import {RowIndices, type RowIndicesAttrs, type RowIndicesInputs} from '../src/kernel_names';

/**
 * The block-row of every block, from where the blocks of each block-row begin: CSR to COO.
 *
 * ```js
 * rowIndices(tf.tensor1d([0, 2, 2, 3], 'int32'), 3).print();  // 0, 0, 2
 * ```
 *
 * @param offsets Where the blocks of each block-row begin, [blockRows + 1], int32, ascending; the
 *     last one is the number of blocks.
 * @param numBlocks The length of the result. It is static, so that no count is read back.
 * @returns [numBlocks], int32; -1 from the last offset on.
 * @throws If a shape or dtype differs from these.
 * @see stk.ops.row_indices
 */
export function rowIndices(offsets: Tensor1D, numBlocks: number): Tensor1D {
  assertTensor('rowIndices', 'offsets', offsets, {rank: 1, dtype: 'int32'});
  assert(
    offsets.size > 0,
    () => `rowIndices: offsets must have one entry more than there are block-rows, got none`,
  );
  assertCount('rowIndices', 'numBlocks', numBlocks, {min: 0, max: MAX_INT32});
  return runKernel<RowIndicesInputs, RowIndicesAttrs, Tensor1D>(RowIndices, {offsets}, {numBlocks});
}
