import type {Tensor2D, Tensor3D} from '@tensorflow/tfjs-core';
import {assertTensor} from '../src/asserts';
import {runKernel} from '../src/kernel';
import {Sdd, type SddInputs, type SparseAttrs, type Precision} from '../src/kernel_names';
import {assertSparseTopology, sparseIndex, sparseSize} from '../src/sparse_operands';
import {SparseMatrix} from './sparse_matrix';
import type {SparseTopology} from './sparse_topology';

/**
 * Multiplies two dense matrices where a topology has blocks: sparse = dense times dense. Only those
 * blocks are computed.
 *
 * ```js
 * const h = sdd(x, w1, topology, {transposeB: true});  // x w1', w1 as it is stored
 * const y = dsd(h, w2);
 * ```
 *
 * Differentiable in `a` and `b`.
 *
 * @param a [M, K], or [K, M] with `transposeA`, float32.
 * @param b [K, N], or [N, K] with `transposeB`, float32.
 * @param topology Which blocks of the product to compute, of shape [M, N].
 * @param options `transposeA` and `transposeB`, false by default; `precision`, as of `groupedMatMul`.
 * @returns [M, N], block-sparse, sharing the topology. Its unused blocks are zero.
 * @throws If a shape or dtype differs from these.
 * @see stk.ops.sdd
 */
export function sdd(
  a: Tensor2D,
  b: Tensor2D,
  topology: SparseTopology,
  {
    transposeA = false,
    transposeB = false,
    precision,
  }: {transposeA?: boolean; transposeB?: boolean; precision?: Precision} = {},
): SparseMatrix {
  assertSparseTopology('sdd', topology);
  const [m, n] = topology.shape;
  assertTensor('sdd', 'a', a, {dtype: 'float32', shape: transposeA ? [null, m] : [m, null]});
  const k = a.shape[transposeA ? 0 : 1];
  assertTensor('sdd', 'b', b, {dtype: 'float32', shape: transposeB ? [n, k] : [k, n]});
  const values = runKernel<SddInputs, SparseAttrs, Tensor3D>(
    Sdd,
    {a, b, ...sparseIndex(topology)},
    {...sparseSize(topology), transposeA, transposeB, precision},
  );
  return new SparseMatrix(topology, values);
}
