import type {SparseSize} from '../../kernel_names';
import type {RowLayout} from './rows';

/** Rows of blocks are read 16 bytes at once where the block size allows it. */
export function blockElements({blockSize, sparseRows, sparseColumns}: SparseSize) {
  const vector = blockSize % 4 === 0 ? 4 : 1;
  const type: RowLayout['type'] = vector === 4 ? 'vec4<f32>' : 'f32';
  return {
    type,
    /** The elements of a row of a block. */
    width: blockSize / vector,
    /** The elements of a row of the dense matrix. */
    columns: sparseColumns / vector,
    blockRows: sparseRows / blockSize,
    blockColumns: sparseColumns / blockSize,
  };
}
