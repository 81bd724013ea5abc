import {Activation, type ActivationArgs} from './activation';
import type {LayerArgs, MoEArguments} from './arguments';
import {CausalAttention, type CausalAttentionArgs} from './causal_attention';
import {DMoE} from './dmoe';
import {LayerNorm, type LayerNormArgs} from './layer_norm';
import {Logits} from './logits';
import {MoE} from './moe';
import {PositionEmbedding, type PositionEmbeddingArgs} from './position_embedding';
import {ReversibleEmbedding, type ReversibleEmbeddingArgs} from './reversible_embedding';

export {
  type ActivationFunction,
  type ActivationIdentifier,
  registerActivation,
} from './activations';
export {Activation} from './activation';
export type {MoEArguments} from './arguments';
export {
  batchedLoadBalancingLoss,
  batchedRouterZloss,
  clearLoadBalancingLoss,
  clearRouterZloss,
  type MoESource,
} from './batched_losses';
export {CausalAttention} from './causal_attention';
export {DMoE} from './dmoe';
export {Logits} from './logits';
export {LayerNorm} from './layer_norm';
export type {InitializerIdentifier} from './initializers';
export {MoE} from './moe';
export {PositionEmbedding} from './position_embedding';
export {ReversibleEmbedding} from './reversible_embedding';

/**
 * A dropless mixture of experts: each token goes to the `moeTopK` experts, of `moeNumExperts`, that
 * the router scores highest, and none is dropped.
 *
 * ```js
 * const model = tf.sequential({layers: [
 *   layers.dMoE({ffnHiddenSize: 256, moeNumExperts: 8, moeTopK: 2, inputShape: [128, 64]}),
 *   tf.layers.dense({units: 10}),
 * ]});
 * ```
 *
 * The input is float32, any number of axes and then H; the output has its shape (with `returnBias` it
 * is that and the bias, [H]). In training the load-balancing loss and the router z-loss join the
 * model's loss by themselves.
 *
 * @param config MegaBlocks' arguments in camelCase, beside those of any layer: see `MoEArguments`.
 * @throws If a field is unknown, out of its range, or cannot be honoured; when applied, if the input
 *     is not float32, has a rank below 2, or another last axis than before.
 * @see megablocks.layers.dmoe.dMoE; Gale et al., MegaBlocks, MLSys 2023
 */
export function dMoE(config: MoEArguments): DMoE {
  return new DMoE(config);
}

/**
 * A mixture of experts with a capacity: each expert takes at most `moeCapacityFactor` times its fair
 * share of the tokens, the first come, and the rest are dropped (their output is the bias alone).
 *
 * ```js
 * layers.moe({ffnHiddenSize: 256, moeNumExperts: 8, moeCapacityFactor: 1.25});
 * ```
 *
 * Input, output and losses are those of `layers.dMoE`. The weights of the experts lie otherwise:
 * `experts.mlp.w1` is [E, H, F] and `experts.mlp.w2` [E, F, H].
 *
 * @param config As of `layers.dMoE`; `mlpImpl` and `blockSize` say nothing here.
 * @throws As `layers.dMoE`.
 * @see megablocks.layers.moe.MoE
 */
export function moe(config: MoEArguments): MoE {
  return new MoE(config);
}

/** Causal multi-head self-attention over queries, keys and values side by side. */
export function causalAttention(config: CausalAttentionArgs): CausalAttention {
  return new CausalAttention(config);
}

/** What tf.layers.activation computes where it is elementwise, in one kernel where there is one. */
export function activation(config: ActivationArgs): Activation {
  return new Activation(config);
}

/** Layer normalization over the last axis, in one kernel forward and two backward. */
export function layerNorm(config: LayerNormArgs = {}): LayerNorm {
  return new LayerNorm(config);
}

/** Ends a model that gives logits, so that `fit` takes integer targets of [..., 1]. */
export function logits(config: LayerArgs = {}): Logits {
  return new Logits(config);
}

/** Adds a learned embedding of each position. */
export function positionEmbedding(config: PositionEmbeddingArgs): PositionEmbedding {
  return new PositionEmbedding(config);
}

/** The token embedding and, applied to hidden states, the output layer that shares its weights. */
export function reversibleEmbedding(config: ReversibleEmbeddingArgs): ReversibleEmbedding {
  return new ReversibleEmbedding(config);
}
