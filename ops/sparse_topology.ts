import {tensor1d, type Tensor1D} from '@tensorflow/tfjs-core';
import {assert, assertCount, assertIndexable, assertTensor, MAX_INT32} from '../src/asserts';
import {runKernel} from '../src/kernel';
import {
  SPARSE_INDEX,
  type SparseIndex,
  SparseTranspose,
  type SparseTransposeAttrs,
  type SparseTransposeInputs,
} from '../src/kernel_names';
import {assertBlockable} from '../src/sparse_operands';
import {rowIndices as rowIndicesOf} from './row_indices';

const OP = 'SparseTopology';

export interface SparseTopologyArgs {
  /** The size of the matrix in elements, a multiple of the block size on both axes. */
  shape: readonly [number, number];
  /** B: blocks are B by B. */
  blockSize: number;
  /** The block-row of every block, [nnz], int32. */
  rowIndices: Tensor1D;
  /** The block-column of every block, [nnz], int32, block-row by block-row; -1 for an unused one. */
  columnIndices: Tensor1D;
  /** Where the blocks of each block-row begin, [blockRows + 1], int32; the last one is nnz. */
  offsets: Tensor1D;
  /** The block-row of every block, column by column, [nnz], int32; -1 for the unused ones, last. */
  columnIndicesT: Tensor1D;
  /** Where the blocks of each block-column begin, [blockColumns + 1], int32; used blocks only. */
  offsetsT: Tensor1D;
  /** Where every block lies in memory, column by column, [nnz], int32; -1 as `columnIndicesT`. */
  blockOffsetsT: Tensor1D;
}

/**
 * Where the blocks of a block-sparse matrix are: blocked CSR (`offsets`, `columnIndices`) and COO
 * (`rowIndices`) at once, with a second index that walks the same blocks column by column, so that
 * the transpose is read without moving a value.
 *
 * ```js
 * // [[a, 0], [b, c]] in blocks of 2.
 * const topology = SparseTopology.from({
 *   shape: [4, 4],
 *   blockSize: 2,
 *   columnIndices: tf.tensor1d([0, 0, 1], 'int32'),
 *   offsets: tf.tensor1d([0, 1, 3], 'int32'),
 * });
 * topology.columnIndicesT.print();  // 0, 1, 1
 * ```
 *
 * Shapes are static, so the number of blocks is too. A block of column -1 is unused: it is zero in
 * every product and receives a gradient of zero. No two used blocks may lie at the same place. The
 * index is int32 throughout and never differentiated; it is not read back, so its values go unchecked
 * (kernels skip what is out of range).
 *
 * @throws If a shape or dtype differs from these, or if a size does not fit in int32.
 * @see stk.Matrix, which has values and index in one; figure 5 of the paper (Gale et al., MLSys 2023)
 */
export class SparseTopology {
  readonly shape: readonly [number, number];
  readonly blockSize: number;
  readonly rowIndices: Tensor1D;
  readonly columnIndices: Tensor1D;
  readonly offsets: Tensor1D;
  readonly columnIndicesT: Tensor1D;
  readonly offsetsT: Tensor1D;
  readonly blockOffsetsT: Tensor1D;

  /** From the whole index, which this takes over; `SparseTopology.from` derives most of it. */
  constructor(args: SparseTopologyArgs) {
    assertIndex(args, SPARSE_INDEX);
    this.shape = [...args.shape];
    this.blockSize = args.blockSize;
    this.rowIndices = args.rowIndices;
    this.columnIndices = args.columnIndices;
    this.offsets = args.offsets;
    this.columnIndicesT = args.columnIndicesT;
    this.offsetsT = args.offsetsT;
    this.blockOffsetsT = args.blockOffsetsT;
  }

  /** Derives the transposed index, and `rowIndices` where they are not given. */
  static from(
    args: Pick<SparseTopologyArgs, 'shape' | 'blockSize' | 'columnIndices' | 'offsets'> &
      Partial<Pick<SparseTopologyArgs, 'rowIndices'>>,
  ): SparseTopology {
    assertIndex(args, args.rowIndices == null ? ['offsets'] : ['offsets', 'rowIndices']);
    const {shape, blockSize, columnIndices, offsets} = args;
    const rowIndices = args.rowIndices ?? rowIndicesOf(offsets, columnIndices.size);
    const [columnIndicesT, offsetsT, blockOffsetsT] = runKernel<
      SparseTransposeInputs,
      SparseTransposeAttrs,
      Tensor1D[]
    >(SparseTranspose, {columnIndices, rowIndices}, {blockColumns: shape[1] / blockSize});
    return new SparseTopology({
      shape,
      blockSize,
      rowIndices,
      columnIndices,
      offsets,
      columnIndicesT,
      offsetsT,
      blockOffsetsT,
    });
  }

  /**
   * From a choice of blocks that is made on the host: `isUsed` is asked for every block, block-row by
   * block-row. For masks and tests; a topology that depends on data stays on the device.
   */
  static where(
    shape: readonly [number, number],
    blockSize: number,
    isUsed: (blockRow: number, blockColumn: number) => boolean,
  ): SparseTopology {
    assertSize(shape, blockSize);
    const [blockRows, blockColumns] = shape.map((size) => size / blockSize);
    const columnIndices: number[] = [];
    const offsets = [0];
    for (let row = 0; row < blockRows; row++) {
      for (let column = 0; column < blockColumns; column++) {
        if (isUsed(row, column)) {
          columnIndices.push(column);
        }
      }
      offsets.push(columnIndices.length);
    }
    return SparseTopology.from({
      shape,
      blockSize,
      columnIndices: tensor1d(columnIndices, 'int32'),
      offsets: tensor1d(offsets, 'int32'),
    });
  }

  /** The number of blocks, nnz, the unused ones included. */
  get numBlocks(): number {
    return this.columnIndices.size;
  }

  /** Frees the index. Every matrix that the products made with it shares it. */
  dispose() {
    this.rowIndices.dispose();
    this.columnIndices.dispose();
    this.offsets.dispose();
    this.columnIndicesT.dispose();
    this.offsetsT.dispose();
    this.blockOffsetsT.dispose();
  }
}

function assertSize(shape: readonly [number, number], blockSize: number) {
  assertCount(OP, 'blockSize', blockSize, {min: 1, max: MAX_INT32});
  assert(
    Array.isArray(shape) && shape.length === 2,
    () => `${OP}: shape must be [rows, columns], got ${JSON.stringify(shape)}`,
  );
  assertCount(OP, 'rows', shape[0], {min: 0, max: MAX_INT32});
  assertCount(OP, 'columns', shape[1], {min: 0, max: MAX_INT32});
  assertBlockable(OP, 'shape', shape, blockSize);
}

/** Checks the size, `columnIndices`, and what else of the index is named. */
function assertIndex(
  args: Partial<SparseTopologyArgs> &
    Pick<SparseTopologyArgs, 'shape' | 'blockSize' | 'columnIndices'>,
  names: readonly (keyof SparseIndex)[],
) {
  const {shape, blockSize, columnIndices} = args;
  assertSize(shape, blockSize);
  assertTensor(OP, 'columnIndices', columnIndices, {rank: 1, dtype: 'int32'});
  const numBlocks = columnIndices.size;
  assertIndexable(OP, 'values', [numBlocks, blockSize, blockSize]);
  const sizes: Partial<Record<keyof SparseIndex, number>> = {
    offsets: shape[0] / blockSize + 1,
    offsetsT: shape[1] / blockSize + 1,
  };
  for (const name of names) {
    assertTensor(OP, name, args[name], {dtype: 'int32', shape: [sizes[name] ?? numBlocks]});
  }
}
