import {
  initializers,
  input,
  layers as tfLayers,
  type LayersModel,
  model,
  type SymbolicTensor,
} from '@tensorflow/tfjs-layers';
import {Activation} from '../layers/activation';
import type {ActivationIdentifier} from '../layers/activations';
import type {MoEArguments} from '../layers/arguments';
import {CausalAttention} from '../layers/causal_attention';
import {DMoE} from '../layers/dmoe';
import {LayerNorm} from '../layers/layer_norm';
import {Logits} from '../layers/logits';
import {MoE} from '../layers/moe';
import {PositionEmbedding} from '../layers/position_embedding';
import {ReversibleEmbedding} from '../layers/reversible_embedding';
import {assert, assertCount, assertNumber, assertOneOf, describe} from '../src/asserts';

/** What stands in every block after the attention. */
export const FEED_FORWARDS = ['dense', 'moe', 'dMoE'] as const;
export type FeedForward = (typeof FEED_FORWARDS)[number];

export interface LanguageModelConfig {
  /** V: how many tokens there are. */
  vocabSize: number;
  /** T: the longest sequence, which is also the length that the model is built for. */
  sequenceLength: number;
  /** H. */
  hiddenSize: number;
  /** How many blocks there are. */
  numLayers: number;
  /** Heads of the attention; divides H. */
  numHeads: number;
  /** F, of the dense feed-forward or of one expert. Default 4 H. */
  ffnHiddenSize?: number;
  /** 'dense' (the default), 'moe' (with a capacity) or 'dMoE' (dropless). */
  feedForward?: FeedForward;
  /**
   * How the experts are made, for 'moe' and 'dMoE': any of `MoEArguments` but those that the model
   * sets itself (name, hiddenSize, ffnHiddenSize, numLayers, activationFn, the initializers, seed) and
   * returnBias.
   */
  moe?: Omit<MoEArguments, (typeof OWN_MOE_FIELDS)[number]>;
  /** Of the feed-forward. Default 'gelu_new'. */
  activation?: ActivationIdentifier;
  /**
   * The standard deviation of the weights at the start; those that end a block's branch begin with it
   * divided by sqrt(2 numLayers), as in Megatron-LM. Default 0.02.
   */
  initStd?: number;
  /** Models of the same seed are the same. An integer of at least 0. Default 0. */
  seed?: number;
}

/** The fields of `MoEArguments` that the model sets itself, or that would change its shape. */
const OWN_MOE_FIELDS = [
  'name',
  'hiddenSize',
  'ffnHiddenSize',
  'numLayers',
  'returnBias',
  'activationFn',
  'initMethod',
  'outputLayerInitMethod',
  'seed',
] as const satisfies readonly (keyof MoEArguments)[];

/**
 * A GPT-2 language model: token and position embeddings, blocks of causal attention and a
 * feed-forward, each after a layer norm, and logits by the token embeddings themselves. The
 * feed-forward of every block is dense, a mixture of experts with a capacity, or a dropless one.
 *
 * ```js
 * const model = languageModel({
 *   vocabSize: 2048, sequenceLength: 128, hiddenSize: 128, numLayers: 4, numHeads: 4,
 *   feedForward: 'dMoE', moe: {moeNumExperts: 8, moeTopK: 1},
 * });
 * model.compile({optimizer: 'adam', loss: sparseSoftmaxCrossEntropyLoss});
 * await model.fit(ids, targets);  // [batch, T] int32 and [batch, T, 1]
 * ```
 *
 * @returns A functional model from token ids [batch, T], int32, to logits [batch, T, V]. `summary`,
 *     `fit`, `save` and the rest are tf.layers' own.
 * @throws If a size is not a positive integer, the heads do not divide H, the feed-forward is unknown,
 *     or `moe` has a field that is the model's own, or is there though the feed-forward is dense; whatever
 *     `layers.dMoE` refuses.
 * @see Radford et al., Language Models are Unsupervised Multitask Learners (2019); Gale et al. (2023)
 */
export function languageModel(config: LanguageModelConfig): LayersModel {
  checkConfig(config);
  const {vocabSize, sequenceLength, hiddenSize, numLayers, initStd = 0.02} = config;
  const seeds = seedSequence(config.seed ?? 0);
  const tokens = new ReversibleEmbedding({
    name: 'tokens',
    vocabSize,
    hiddenSize,
    initStd,
    seed: seeds(),
  });
  const positions = new PositionEmbedding({
    name: 'positions',
    maxLength: sequenceLength,
    initStd,
    seed: seeds(),
  });

  const ids = input({shape: [sequenceLength], dtype: 'int32', name: 'ids'});
  let hidden = chain(ids, [tokens, positions]);
  for (let i = 0; i < numLayers; i++) {
    hidden = block(`blocks.${i}`, hidden, config, seeds);
  }
  const logits = chain(hidden, [
    new LayerNorm({name: 'norm'}),
    tokens,
    new Logits({name: 'logits'}),
  ]);
  return model({inputs: ids, outputs: logits, name: 'language_model'});
}

/** x + attention(norm(x)), then y + feedForward(norm(y)). */
function block(
  name: string,
  x: SymbolicTensor,
  config: LanguageModelConfig,
  seeds: () => number,
): SymbolicTensor {
  const {hiddenSize, numHeads, numLayers, initStd = 0.02} = config;
  const dense = (part: string, units: number, stddev: number) =>
    tfLayers.dense({
      name: `${name}.${part}`,
      units,
      kernelInitializer: initializers.randomNormal({mean: 0, stddev, seed: seeds()}),
    });
  const outputStd = initStd / Math.sqrt(2 * numLayers);

  const attended = chain(x, [
    new LayerNorm({name: `${name}.attention_norm`}),
    dense('attention.qkv', 3 * hiddenSize, initStd),
    new CausalAttention({name: `${name}.attention`, numHeads}),
    dense('attention.output', hiddenSize, outputStd),
  ]);
  const y = residual(`${name}.attention_residual`, x, attended);

  const {
    feedForward = 'dense',
    ffnHiddenSize = 4 * hiddenSize,
    activation = 'gelu_new',
    moe,
  } = config;
  const feedForwardLayers =
    feedForward === 'dense'
      ? [
          dense('mlp.up', ffnHiddenSize, initStd),
          new Activation({name: `${name}.mlp.activation`, activation}),
          dense('mlp.down', hiddenSize, outputStd),
        ]
      : [
          new (feedForward === 'moe' ? MoE : DMoE)({
            ...moe,
            name: `${name}.${feedForward}`,
            hiddenSize,
            ffnHiddenSize,
            numLayers,
            activationFn: activation,
            initMethod: normalInitializer(initStd, seeds()),
            outputLayerInitMethod: normalInitializer(outputStd, seeds()),
            seed: seeds(),
          }),
        ];
  const fed = chain(y, [new LayerNorm({name: `${name}.mlp_norm`}), ...feedForwardLayers]);
  return residual(`${name}.mlp_residual`, y, fed);
}

function normalInitializer(stddev: number, seed: number) {
  return {className: 'RandomNormal', config: {mean: 0, stddev, seed}};
}

function residual(name: string, x: SymbolicTensor, branch: SymbolicTensor): SymbolicTensor {
  return tfLayers.add({name}).apply([x, branch]) as SymbolicTensor;
}

function chain(x: SymbolicTensor, chained: tfLayers.Layer[]): SymbolicTensor {
  return chained.reduce((y, layer) => layer.apply(y) as SymbolicTensor, x);
}

/** A seed of its own for every weight, the same from one run to the next. */
function seedSequence(seed: number): () => number {
  let next = seed * 10007;
  return () => ++next;
}

function checkConfig(config: LanguageModelConfig) {
  for (const name of [
    'vocabSize',
    'sequenceLength',
    'hiddenSize',
    'numLayers',
    'numHeads',
  ] as const) {
    assertCount('languageModel', name, config[name], {min: 1});
  }
  assert(
    config.hiddenSize % config.numHeads === 0,
    () =>
      `languageModel: numHeads must divide hiddenSize, ${config.hiddenSize}, got ${config.numHeads}`,
  );
  const feedForward = config.feedForward ?? 'dense';
  assertOneOf('languageModel', 'feedForward', feedForward, FEED_FORWARDS);
  if (config.ffnHiddenSize != null) {
    assertCount('languageModel', 'ffnHiddenSize', config.ffnHiddenSize, {min: 1});
  }
  if (config.seed != null) {
    assertCount('languageModel', 'seed', config.seed, {min: 0});
  }
  if (config.initStd != null) {
    assertNumber('languageModel', 'initStd', config.initStd, {min: 0});
  }
  const moe = (config.moe ?? {}) as MoEArguments;
  const own = OWN_MOE_FIELDS.find((field) => moe[field] != null);
  assert(
    own == null,
    () =>
      `languageModel: moe must not have ${own}, which is the model's own, got ${describe(moe[own!])}`,
  );
  assert(
    config.moe == null || feedForward !== 'dense',
    () => "languageModel: feedForward must be 'moe' or 'dMoE' where there is moe, got 'dense'",
  );
}

/**
 * How many weights the model has, without building it.
 *
 * @returns `total`, and `active`: those that compute for one token, K experts of E.
 */
export function countParameters(config: LanguageModelConfig): {total: number; active: number} {
  checkConfig(config);
  const {vocabSize, sequenceLength, hiddenSize, numLayers, moe = {}} = config;
  const ffnHiddenSize = config.ffnHiddenSize ?? 4 * hiddenSize;
  const norm = 2 * hiddenSize;
  const attention = 4 * hiddenSize * hiddenSize + 4 * hiddenSize;
  const outside = (vocabSize + sequenceLength) * hiddenSize + norm;
  const count = (feedForward: number) => outside + numLayers * (2 * norm + attention + feedForward);
  if ((config.feedForward ?? 'dense') === 'dense') {
    const total = count(2 * hiddenSize * ffnHiddenSize + ffnHiddenSize + hiddenSize);
    return {total, active: total};
  }
  const {moeNumExperts = 1, moeTopK = 1, mlpType = 'mlp', bias = true} = moe;
  const matrices = mlpType === 'glu' ? 3 : 2;
  const expert = matrices * hiddenSize * ffnHiddenSize;
  const shared = moe.sharedExpert ? sharedExpertParameters(config, matrices) : 0;
  const always = hiddenSize * moeNumExperts + (bias ? hiddenSize : 0) + shared;
  return {
    total: count(always + moeNumExperts * expert),
    active: count(always + moeTopK * expert),
  };
}

function sharedExpertParameters(
  {hiddenSize, ffnHiddenSize, moe = {}}: LanguageModelConfig,
  matrices: number,
): number {
  const width = moe.sharedExpertHiddenSize ?? ffnHiddenSize ?? 4 * hiddenSize;
  const biases = (moe.bias ?? true) ? (matrices - 1) * width + hiddenSize : 0;
  return matrices * hiddenSize * width + biases;
}
