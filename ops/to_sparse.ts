import type {Tensor2D, Tensor3D} from '@tensorflow/tfjs-core';
import {assertCount, assertTensor} from '../src/asserts';
import {runKernel} from '../src/kernel';
import {
  DenseToSparse,
  type DenseToSparseAttrs,
  type DenseToSparseInputs,
} from '../src/kernel_names';
import {assertBlockable, assertSparseTopology, sparseSize} from '../src/sparse_operands';
import {SparseMatrix} from './sparse_matrix';
import {SparseTopology} from './sparse_topology';

/**
 * Takes the blocks of a dense matrix that a topology names; what lies outside them is dropped.
 *
 * Differentiable in `x`. Where the non-zero blocks are not known beforehand, `toSparseAsync` finds
 * them.
 *
 * @param x [M, N], float32.
 * @param topology Which blocks to take, of shape [M, N].
 * @returns [M, N], block-sparse, sharing the topology. Its unused blocks are zero.
 * @throws If a shape or dtype differs from these.
 * @see stk.ops.to_sparse
 */
export function toSparse(x: Tensor2D, topology: SparseTopology): SparseMatrix {
  assertSparseTopology('toSparse', topology);
  assertTensor('toSparse', 'x', x, {dtype: 'float32', shape: topology.shape});
  const {rowIndices, columnIndices} = topology;
  const values = runKernel<DenseToSparseInputs, DenseToSparseAttrs, Tensor3D>(
    DenseToSparse,
    {x, rowIndices, columnIndices},
    sparseSize(topology),
  );
  return new SparseMatrix(topology, values);
}

/**
 * Finds the blocks of a dense matrix that are not all zero, and takes them.
 *
 * How many there are depends on the values, and every shape is static: so the values are read back
 * to the host first, and the result is a promise, as of `tf.whereAsync`. It has no place in a
 * training step; use it to set one up. The result owns a new topology: dispose of both.
 *
 * @param x [M, N], float32.
 * @param blockSize The size of the blocks, which divides M and N.
 * @returns [M, N], block-sparse, with the blocks of `x` that have an element other than zero.
 * @throws If a shape or dtype differs from these.
 * @see stk.ops.to_sparse
 */
export async function toSparseAsync(x: Tensor2D, blockSize = 1): Promise<SparseMatrix> {
  assertTensor('toSparseAsync', 'x', x, {rank: 2, dtype: 'float32'});
  assertCount('toSparseAsync', 'blockSize', blockSize, {min: 1});
  assertBlockable('toSparseAsync', 'x', x.shape, blockSize);
  const columns = x.shape[1];
  const values = await x.data();
  const topology = SparseTopology.where(x.shape, blockSize, (blockRow, blockColumn) => {
    for (let i = blockRow * blockSize; i < (blockRow + 1) * blockSize; i++) {
      for (let j = blockColumn * blockSize; j < (blockColumn + 1) * blockSize; j++) {
        if (values[i * columns + j] !== 0) {
          return true;
        }
      }
    }
    return false;
  });
  return toSparse(x, topology);
}
