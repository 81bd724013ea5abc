import type {Tensor3D} from '@tensorflow/tfjs-core';
import {assertTensor} from '../src/asserts';
import {assertSparseTopology} from '../src/sparse_operands';
import type {SparseTopology} from './sparse_topology';

/**
 * A block-sparse matrix: the values of its blocks, and the topology that says where they are.
 *
 * ```js
 * const matrix = new SparseMatrix(topology, tf.ones([topology.numBlocks, 2, 2]));
 * const y = dsd(matrix, tf.ones([4, 3]));
 * const dx = dsd(matrix.t(), y);
 * ```
 *
 * `values` is a plain tensor and takes part in the tape: a gradient for a matrix is the gradient for
 * its values. What the values of unused blocks are is of no account.
 *
 * @throws If a shape or dtype differs from these.
 * @see stk.Matrix
 */
export class SparseMatrix {
  /**
   * @param topology Where the blocks are, as they lie in memory.
   * @param values The blocks, [nnz, B, B], float32, each row by row, in the order of the topology.
   * @param transposed Whether this is the transpose of what lies in memory.
   */
  constructor(
    readonly topology: SparseTopology,
    readonly values: Tensor3D,
    readonly transposed = false,
  ) {
    assertSparseTopology('SparseMatrix', topology);
    const {numBlocks, blockSize} = topology;
    assertTensor('SparseMatrix', 'values', values, {
      dtype: 'float32',
      shape: [numBlocks, blockSize, blockSize],
    });
  }

  /** [rows, columns] in elements. */
  get shape(): [number, number] {
    const [rows, columns] = this.topology.shape;
    return this.transposed ? [columns, rows] : [rows, columns];
  }

  get blockSize(): number {
    return this.topology.blockSize;
  }

  /** The transpose, which shares the values and the topology. */
  t(): SparseMatrix {
    return new SparseMatrix(this.topology, this.values, !this.transposed);
  }

  /** Frees the values. The topology is freed by itself, since other matrices may share it. */
  dispose() {
    this.values.dispose();
  }
}
