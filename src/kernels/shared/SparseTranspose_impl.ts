import type {BlockIndices} from './sparse_blocks';

/** The index of the transpose, in the order of its columns. */
export interface TransposedIndex {
  columnIndicesT: Int32Array;
  offsetsT: Int32Array;
  blockOffsetsT: Int32Array;
}

/** A counting sort of the blocks by column, stable. Unused blocks come last, as -1. */
export function sparseTranspose({rowIndices, columnIndices}: BlockIndices, out: TransposedIndex) {
  const {columnIndicesT, offsetsT, blockOffsetsT} = out;
  const blockColumns = offsetsT.length - 1;
  const isUsed = (block: number) =>
    rowIndices[block] >= 0 && columnIndices[block] >= 0 && columnIndices[block] < blockColumns;

  offsetsT.fill(0);
  for (let block = 0; block < columnIndices.length; block++) {
    if (isUsed(block)) {
      offsetsT[columnIndices[block] + 1]++;
    }
  }
  for (let column = 0; column < blockColumns; column++) {
    offsetsT[column + 1] += offsetsT[column];
  }

  columnIndicesT.fill(-1);
  blockOffsetsT.fill(-1);
  const next = offsetsT.slice();
  for (let block = 0; block < columnIndices.length; block++) {
    if (isUsed(block)) {
      const position = next[columnIndices[block]]++;
      columnIndicesT[position] = rowIndices[block];
      blockOffsetsT[position] = block;
    }
  }
}
