import type {SparseSize} from '../../kernel_names';

/** Where the blocks of a block-sparse matrix lie, in the order in which they lie in memory. */
export interface BlockIndices {
  rowIndices: Int32Array;
  columnIndices: Int32Array;
}

/**
 * Calls `visit` for every block that is used. An index that is out of range, such as the -1 of an
 * unused block, is skipped, so that no index can make a kernel touch memory outside its operands.
 */
export function forEachBlock(
  {rowIndices, columnIndices}: BlockIndices,
  {sparseRows, sparseColumns, blockSize}: SparseSize,
  visit: (block: number, blockRow: number, blockColumn: number) => void,
) {
  const blockRows = sparseRows / blockSize;
  const blockColumns = sparseColumns / blockSize;
  for (let block = 0; block < rowIndices.length; block++) {
    const [row, column] = [rowIndices[block], columnIndices[block]];
    if (row >= 0 && row < blockRows && column >= 0 && column < blockColumns) {
      visit(block, row, column);
    }
  }
}

/** The row and column stride of op(x), [rows, columns], where x lies row by row in memory. */
export function strides(
  [rows, columns]: readonly [number, number],
  transposed: boolean,
): [rowStride: number, columnStride: number] {
  return transposed ? [1, rows] : [columns, 1];
}

/** The shape of op(x). */
export function transposeShape(
  [rows, columns]: readonly number[],
  transpose: boolean,
): [number, number] {
  return transpose ? [columns, rows] : [rows, columns];
}
