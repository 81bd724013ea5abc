import type {SparseToDenseAttrs} from '../../kernel_names';
import {type BlockIndices, forEachBlock} from './sparse_blocks';

/** values [nnz, B, B] -> out [sparseRows, sparseColumns]; `out` must be zero. */
export function sparseToDense(
  values: Float32Array,
  indices: BlockIndices,
  attrs: SparseToDenseAttrs,
  out: Float32Array,
) {
  const {blockSize, sparseColumns} = attrs;
  forEachBlock(indices, attrs, (block, blockRow, blockColumn) => {
    for (let i = 0; i < blockSize; i++) {
      const begin = (block * blockSize + i) * blockSize;
      out.set(
        values.subarray(begin, begin + blockSize),
        (blockRow * blockSize + i) * sparseColumns + blockColumn * blockSize,
      );
    }
  });
}
