import type {SparseAttrs} from '../../kernel_names';
import type {MatMulProblem} from './mat_mul';
import {type BlockIndices, forEachBlock, strides, transposeShape} from './sparse_blocks';

/**
 * One dense product a block: its block-row of op(a) times its block-column of op(b). Unused blocks
 * are not written; the result must be zero there.
 */
export function sdd(
  aShape: readonly number[],
  indices: BlockIndices,
  attrs: SparseAttrs,
  matMul: (problem: MatMulProblem) => void,
) {
  const {sparseRows, sparseColumns, blockSize, transposeA, transposeB} = attrs;
  const [, k] = transposeShape(aShape, transposeA);
  const [aRowStride, aColumnStride] = strides([sparseRows, k], transposeA);
  const [bRowStride, bColumnStride] = strides([k, sparseColumns], transposeB);
  forEachBlock(indices, attrs, (block, blockRow, blockColumn) =>
    matMul({
      m: blockSize,
      n: blockSize,
      k,
      aOffset: blockRow * blockSize * aRowStride,
      aRowStride,
      aColumnStride,
      bOffset: blockColumn * blockSize * bColumnStride,
      bRowStride,
      bColumnStride,
      cOffset: block * blockSize * blockSize,
      cRowStride: blockSize,
      accumulate: false,
    }),
  );
}
