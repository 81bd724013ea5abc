import {
  concat,
  greaterEqual,
  type Rank,
  type Scalar,
  sum,
  type Tensor1D,
  tidy,
  where,
  zeros,
  zerosLike,
} from '@tensorflow/tfjs-core';
import {assertSparseMatrix} from '../src/sparse_operands';
import type {SparseMatrix} from './sparse_matrix';

/**
 * Sums a block-sparse matrix, unused blocks left out.
 *
 * Differentiable in the values of `matrix`.
 *
 * @param matrix Block-sparse, transposed or not.
 * @returns A scalar, float32.
 * @see stk.ops.sum
 */
export function sparseSum(matrix: SparseMatrix): Scalar {
  assertSparseMatrix('sparseSum', 'matrix', matrix);
  const {values, topology} = matrix;
  return tidy(() => {
    const sums = sum<Tensor1D>(values, [1, 2]);
    const used = greaterEqual(topology.columnIndices, 0);
    // A zero besides, since tfjs on wasm leaves the sum of nothing undefined.
    return sum<Scalar>(concat([where(used, sums, zerosLike(sums)), zeros<Rank.R1>([1])]));
  });
}
