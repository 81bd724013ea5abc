import type {DenseToSparseAttrs} from '../../kernel_names';
import {type BlockIndices, forEachBlock} from './sparse_blocks';

/** x [sparseRows, sparseColumns] -> its blocks at the index, [nnz, B, B]; `out` must be zero. */
export function denseToSparse(
  x: Float32Array,
  indices: BlockIndices,
  attrs: DenseToSparseAttrs,
  out: Float32Array,
) {
  const {blockSize, sparseColumns} = attrs;
  forEachBlock(indices, attrs, (block, blockRow, blockColumn) => {
    for (let i = 0; i < blockSize; i++) {
      const begin = (blockRow * blockSize + i) * sparseColumns + blockColumn * blockSize;
      out.set(x.subarray(begin, begin + blockSize), (block * blockSize + i) * blockSize);
    }
  });
}
