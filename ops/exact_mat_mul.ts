import {
  BatchMatMul,
  type BatchMatMulAttrs,
  type Tensor2D,
  type TensorInfo,
} from '@tensorflow/tfjs-core';
import {assertTensor} from '../src/asserts';
import {runKernel} from '../src/kernel';
import type {Precision} from '../src/kernel_names';

/**
 * tf.matMul of two matrices whose value is computed in float32, also where `useFastMatMul` multiplies in
 * half precision: for what is compared afterwards, as a router's logits are. The gradients are of the
 * backend's precision.
 *
 * @param a [M, K], or [K, M] if transposed, float32.
 * @param b [K, N], or [N, K] if transposed, float32.
 * @returns [M, N].
 * @throws If a rank or dtype differs from these, or the inner sizes differ.
 * @see tf.matMul
 */
export function exactMatMul(
  a: Tensor2D,
  b: Tensor2D,
  transposeA = false,
  transposeB = false,
): Tensor2D {
  assertTensor('exactMatMul', 'a', a, {rank: 2, dtype: 'float32'});
  assertTensor('exactMatMul', 'b', b, {rank: 2, dtype: 'float32'});
  return runKernel<
    Record<'a' | 'b', TensorInfo>,
    BatchMatMulAttrs & {precision: Precision},
    Tensor2D
  >(BatchMatMul, {a, b}, {transposeA, transposeB, precision: 'float32'});
}
