import type {Tensor3D} from '@tensorflow/tfjs-core';
import {assert, assertCount, assertTensor} from '../src/asserts';
import {runKernel} from '../src/kernel';
import {
  CausalAttention,
  type CausalAttentionAttrs,
  type CausalAttentionInputs,
} from '../src/kernel_names';

const OP = 'causalAttention';

/**
 * Causal multi-head self-attention: softmax(q k' / sqrt(D)) v, each position seeing itself and those
 * before it. The T x T scores are never kept, forward or backward.
 *
 * ```js
 * const y = causalAttention(tf.randomNormal([1, 16, 3 * 64]), 4);  // [1, 16, 64]
 * ```
 *
 * @param qkv Queries, keys and values side by side, [batch, T, 3 * H], float32; each is numHeads
 *     heads of D = H / numHeads side by side.
 * @param numHeads Divides H.
 * @returns [batch, T, H], float32. Differentiable in `qkv`.
 * @throws If a shape or dtype differs from these.
 * @see torch.nn.functional.scaled_dot_product_attention with is_causal
 */
export function causalAttention(qkv: Tensor3D, numHeads: number): Tensor3D {
  assertTensor(OP, 'qkv', qkv, {rank: 3, dtype: 'float32'});
  assertCount(OP, 'numHeads', numHeads, {min: 1});
  assert(
    qkv.shape[2] % (3 * numHeads) === 0,
    () =>
      `${OP}: qkv must have a last axis that 3 * numHeads, ${3 * numHeads}, divides, got ${qkv.shape[2]}`,
  );
  return runKernel<CausalAttentionInputs, CausalAttentionAttrs, Tensor3D>(
    CausalAttention,
    {qkv},
    {numHeads},
  );
}
