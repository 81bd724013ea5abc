import type {SparseAttrs} from '../../kernel_names';
import type {MatMulProblem} from './mat_mul';
import {type BlockIndices, forEachBlock, strides, transposeShape} from './sparse_blocks';

/** The shape of op(a) op(b), b block-sparse. */
export function ddsShape(
  aShape: readonly number[],
  {sparseRows, sparseColumns, transposeA, transposeB}: SparseAttrs,
): [number, number] {
  const [m] = transposeShape(aShape, transposeA);
  const [, n] = transposeShape([sparseRows, sparseColumns], transposeB);
  return [m, n];
}

/**
 * One dense product a block: the block-column of op(a) that it meets times op(block), added to its
 * block-column of the result, which must be zero at first.
 */
export function dds(
  aShape: readonly number[],
  indices: BlockIndices,
  attrs: SparseAttrs,
  matMul: (problem: MatMulProblem) => void,
) {
  const {blockSize, transposeA, transposeB} = attrs;
  const [m, k] = transposeShape(aShape, transposeA);
  const [, n] = ddsShape(aShape, attrs);
  const [aRowStride, aColumnStride] = strides([m, k], transposeA);
  const [bRowStride, bColumnStride] = strides([blockSize, blockSize], transposeB);
  forEachBlock(indices, attrs, (block, blockRow, blockColumn) => {
    const [row, column] = transposeShape([blockRow, blockColumn], transposeB);
    matMul({
      m,
      n: blockSize,
      k: blockSize,
      aOffset: row * blockSize * aColumnStride,
      aRowStride,
      aColumnStride,
      bOffset: block * blockSize * blockSize,
      bRowStride,
      bColumnStride,
      cOffset: column * blockSize,
      cRowStride: n,
      accumulate: true,
    });
  });
}
