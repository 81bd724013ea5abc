import type {Tensor1D, Tensor2D, Tensor3D} from '@tensorflow/tfjs-core';
import {assert, assertBins, assertTensor} from '../src/asserts';
import {runKernel} from '../src/kernel';
import {
  GroupedMatMul,
  type GroupedMatMulAttrs,
  type GroupedMatMulInputs,
  type Precision,
} from '../src/kernel_names';

const OP = 'groupedMatMul';

/**
 * Multiplies each group of rows by a matrix of its own: grouped GEMM. The rows from `bins[e - 1]` up
 * to `bins[e]` are group e.
 *
 * ```js
 * const a = tf.tensor2d([[1, 2], [3, 4], [5, 6]]);
 * const b = tf.tensor3d([[[1], [1]], [[10], [10]]]);
 * groupedMatMul(a, b, tf.tensor1d([1, 3], 'int32')).print();  // [[3], [70], [110]]
 * ```
 *
 * The three forms that training needs are the product, `groupedMatMul(a, b, bins)`; its gradient for
 * the rows, `groupedMatMul(dy, b, bins, {transposeB: true})`; and its gradient for the matrices,
 * `groupedMatMul(a, dy, bins, {transposeA: true})`. A group may be empty: its rows are none, and its
 * gradient is exactly zero. Rows from the last bin on are exactly zero. Bins beyond the rows count as
 * N, and one that ends before it begins as empty. Differentiable in `a` and `b`.
 *
 * @param a [N, K], float32.
 * @param b [E, K, M], or [E, M, K] with `transposeB`; with `transposeA` it is [N, M]. float32.
 * @param bins Where the rows of each group end, [E], int32, ascending.
 * @param options `transposeA` and `transposeB`, false by default; not both. `precision`: 'float32', or
 *     'float16' on matrix units where the backend has them; by default as the backend was set up.
 * @returns [N, M]; with `transposeA` [E, K, M].
 * @throws If a shape or dtype differs from these.
 * @see grouped_gemm.ops.gmm
 */
export function groupedMatMul(
  a: Tensor2D,
  b: Tensor3D,
  bins: Tensor1D,
  options?: {transposeA?: false; transposeB?: boolean; precision?: Precision},
): Tensor2D;
export function groupedMatMul(
  a: Tensor2D,
  b: Tensor2D,
  bins: Tensor1D,
  options: {transposeA: true; transposeB?: false; precision?: Precision},
): Tensor3D;
export function groupedMatMul(
  a: Tensor2D,
  b: Tensor2D | Tensor3D,
  bins: Tensor1D,
  {
    transposeA = false,
    transposeB = false,
    precision,
  }: {transposeA?: boolean; transposeB?: boolean; precision?: Precision} = {},
): Tensor2D | Tensor3D {
  assert(
    !(transposeA && transposeB),
    () => `${OP}: transposeB must be false with transposeA, got true`,
  );
  assertTensor(OP, 'a', a, {rank: 2, dtype: 'float32'});
  assertBins(OP, bins);
  if (transposeA) {
    assertTensor(OP, 'b', b, {dtype: 'float32', shape: [a.shape[0], null]});
  } else {
    const inner = a.shape[1];
    const shape = transposeB ? [null, null, inner] : [null, inner, null];
    assertTensor(OP, 'b', b, {dtype: 'float32', shape});
    assert(
      bins.size === b.shape[0],
      () => `${OP}: bins must have one entry a matrix of b, ${b.shape[0]}, got ${bins.size}`,
    );
  }
  return runKernel<GroupedMatMulInputs, GroupedMatMulAttrs, Tensor2D | Tensor3D>(
    GroupedMatMul,
    {a, b, bins},
    {transposeA, transposeB, precision},
  );
}
