import type {Tensor2D} from '@tensorflow/tfjs-core';
import {assertIndexable, assertTensor} from '../src/asserts';
import {runKernel} from '../src/kernel';
import {Dds, type DdsInputs, type SparseAttrs, type Precision} from '../src/kernel_names';
import {assertSparseMatrix, sparseIndex, sparseSize} from '../src/sparse_operands';
import type {SparseMatrix} from './sparse_matrix';

/**
 * Multiplies a dense matrix by a block-sparse one: dense = dense times sparse.
 *
 * ```js
 * const y = dds(a, matrix);        // a matrix
 * const z = dds(y, matrix.t());    // y matrix'
 * ```
 *
 * Columns that no block meets are zero. Differentiable in `a` and in the values of `b`.
 *
 * @param a [M, K], or [K, M] with `transposeA`, float32.
 * @param b [K, N], block-sparse, transposed or not.
 * @param options `transposeA`, false by default; `precision`, as of `groupedMatMul`.
 * @returns [M, N], float32.
 * @throws If a shape or dtype differs from these, or if the result has more elements than int32
 *     counts.
 * @see stk.ops.dds
 */
export function dds(
  a: Tensor2D,
  b: SparseMatrix,
  {transposeA = false, precision}: {transposeA?: boolean; precision?: Precision} = {},
): Tensor2D {
  assertSparseMatrix('dds', 'b', b);
  const {topology, values, transposed} = b;
  const [k, n] = b.shape;
  assertTensor('dds', 'a', a, {dtype: 'float32', shape: transposeA ? [k, null] : [null, k]});
  assertIndexable('dds', 'the result', [a.shape[transposeA ? 1 : 0], n]);
  return runKernel<DdsInputs, SparseAttrs, Tensor2D>(
    Dds,
    {a, values, ...sparseIndex(topology)},
    {...sparseSize(topology), transposeA, transposeB: transposed, precision},
  );
}
