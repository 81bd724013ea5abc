import type {Tensor2D} from '@tensorflow/tfjs-core';
import {assertIndexable, assertTensor} from '../src/asserts';
import {runKernel} from '../src/kernel';
import {Dsd, type DsdInputs, type SparseAttrs, type Precision} from '../src/kernel_names';
import {assertSparseMatrix, sparseIndex, sparseSize} from '../src/sparse_operands';
import type {SparseMatrix} from './sparse_matrix';

/**
 * Multiplies a block-sparse matrix by a dense one: dense = sparse times dense.
 *
 * ```js
 * const y = dsd(matrix, b);        // matrix b
 * const z = dsd(matrix.t(), y);    // matrix' y
 * ```
 *
 * Rows that no block meets are zero. Differentiable in the values of `a` and in `b`.
 *
 * @param a [M, K], block-sparse, transposed or not.
 * @param b [K, N], or [N, K] with `transposeB`, float32.
 * @param options `transposeB`, false by default; `precision`, as of `groupedMatMul`.
 * @returns [M, N], float32.
 * @throws If a shape or dtype differs from these, or if the result has more elements than int32
 *     counts.
 * @see stk.ops.dsd
 */
export function dsd(
  a: SparseMatrix,
  b: Tensor2D,
  {transposeB = false, precision}: {transposeB?: boolean; precision?: Precision} = {},
): Tensor2D {
  assertSparseMatrix('dsd', 'a', a);
  const {topology, values, transposed} = a;
  const [m, k] = a.shape;
  assertTensor('dsd', 'b', b, {dtype: 'float32', shape: transposeB ? [null, k] : [k, null]});
  assertIndexable('dsd', 'the result', [m, b.shape[transposeB ? 0 : 1]]);
  return runKernel<DsdInputs, SparseAttrs, Tensor2D>(
    Dsd,
    {values, b, ...sparseIndex(topology)},
    {...sparseSize(topology), transposeA: transposed, transposeB, precision},
  );
}
