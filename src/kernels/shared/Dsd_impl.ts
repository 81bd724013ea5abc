import type {SparseAttrs} from '../../kernel_names';
import type {MatMulProblem} from './mat_mul';
import {type BlockIndices, forEachBlock, strides, transposeShape} from './sparse_blocks';

/** The shape of op(a) op(b), a block-sparse. */
export function dsdShape(
  bShape: readonly number[],
  {sparseRows, sparseColumns, transposeA, transposeB}: SparseAttrs,
): [number, number] {
  const [m] = transposeShape([sparseRows, sparseColumns], transposeA);
  const [, n] = transposeShape(bShape, transposeB);
  return [m, n];
}

/**
 * One dense product a block: op(block) times the block-row of op(b) that it meets, added to its
 * block-row of the result, which must be zero at first.
 */
export function dsd(
  bShape: readonly number[],
  indices: BlockIndices,
  attrs: SparseAttrs,
  matMul: (problem: MatMulProblem) => void,
) {
  const {blockSize, transposeA, transposeB} = attrs;
  const [k, n] = transposeShape(bShape, transposeB);
  const [aRowStride, aColumnStride] = strides([blockSize, blockSize], transposeA);
  const [bRowStride, bColumnStride] = strides([k, n], transposeB);
  forEachBlock(indices, attrs, (block, blockRow, blockColumn) => {
    const [row, column] = transposeShape([blockRow, blockColumn], transposeA);
    matMul({
      m: blockSize,
      n,
      k: blockSize,
      aOffset: block * blockSize * blockSize,
      aRowStride,
      aColumnStride,
      bOffset: column * blockSize * bRowStride,
      bRowStride,
      bColumnStride,
      cOffset: row * blockSize * n,
      cRowStride: n,
      accumulate: true,
    });
  });
}
