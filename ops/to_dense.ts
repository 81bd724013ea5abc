import {tidy, transpose, type Tensor2D} from '@tensorflow/tfjs-core';
import {assertIndexable} from '../src/asserts';
import {runKernel} from '../src/kernel';
import {
  SparseToDense,
  type SparseToDenseAttrs,
  type SparseToDenseInputs,
} from '../src/kernel_names';
import {assertSparseMatrix, sparseSize} from '../src/sparse_operands';
import type {SparseMatrix} from './sparse_matrix';

/**
 * Writes a block-sparse matrix out, with zeros where it has no block.
 *
 * Differentiable in the values of `matrix`.
 *
 * @param matrix [M, N], block-sparse, transposed or not.
 * @returns [M, N], float32.
 * @throws If `matrix` is none, or if the result has more elements than int32 counts.
 * @see stk.ops.to_dense
 */
export function toDense(matrix: SparseMatrix): Tensor2D {
  assertSparseMatrix('toDense', 'matrix', matrix);
  assertIndexable('toDense', 'the result', matrix.shape);
  const {values, topology, transposed} = matrix;
  const {rowIndices, columnIndices} = topology;
  return tidy(() => {
    const dense = runKernel<SparseToDenseInputs, SparseToDenseAttrs, Tensor2D>(
      SparseToDense,
      {values, rowIndices, columnIndices},
      sparseSize(topology),
    );
    return transposed ? transpose(dense) : dense;
  });
}
