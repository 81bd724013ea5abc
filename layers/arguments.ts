import type {layers} from '@tensorflow/tfjs-layers';
import {
  assert,
  assertBoolean,
  assertCount,
  assertNumber,
  assertOneOf,
  describe,
} from '../src/asserts';
import type {Precision} from '../src/kernel_names';
import {type ActivationIdentifier, resolveActivation} from './activations';
import {type InitializerIdentifier, resolveInitializer} from './initializers';

// MegaBlocks' `Arguments` in camelCase: what each field means, its default, and what is accepted.

/** What tf.layers itself takes for any layer: `name`, `trainable`, `inputShape` and so on. */
export type LayerArgs = NonNullable<ConstructorParameters<typeof layers.Layer>[0]>;

/**
 * The configuration of `layers.dMoE` and `layers.moe`. T are the tokens of a batch, K `moeTopK`, E
 * `moeNumExperts`, H the last axis of the input, F `ffnHiddenSize`.
 *
 * @see megablocks.layers.arguments.Arguments
 */
export interface MoEArguments extends LayerArgs, HonouredArguments, RefusedArguments {}

/** The fields that are honoured. */
export interface HonouredArguments {
  /** H. Taken from the input's last axis; where it is given, the input must have it. */
  hiddenSize?: number | null;
  /** F, the hidden size of each expert. Default 4096. */
  ffnHiddenSize?: number;
  /** How many MoE layers the model has; the load-balancing loss is divided by it. Default 1. */
  numLayers?: number;
  /**
   * One bias [H] that is added to the output, and biases in the shared expert. The experts' products
   * have none. Default true.
   */
  bias?: boolean;
  /**
   * Whether the layer returns `[y, bias]`, the bias not added, for a later op to add. Without a bias
   * it returns y alone. Default false (MegaBlocks: true).
   */
  returnBias?: boolean;
  /**
   * The activation of the experts and the shared expert: an identifier of tf.layers ('gelu_new' is
   * the tanh form of GELU, 'gelu' the exact one; not 'softmax' or 'logSoftmax', which are not
   * elementwise), 'silu', a name given to `registerActivation`, or an elementwise function (which
   * cannot be saved). Default 'gelu_new'.
   */
  activationFn?: ActivationIdentifier;

  /** E. Default 1. */
  moeNumExperts?: number;
  /** K, the experts that each token goes to, at most E. Default 1. */
  moeTopK?: number;
  /**
   * Of `layers.moe` alone: each expert takes `trunc(moeCapacityFactor * (K * T / E))` tokens and drops
   * those that come later. 0, given or by truncation, drops none. Default 1.
   */
  moeCapacityFactor?: number;
  /**
   * The p of the p-norm by which the weights of a token's K experts are divided; null or 0 leaves
   * them as the softmax gives them. Default null.
   */
  moeNormalizeExpertWeights?: number | null;
  /** The weight of the load-balancing loss; 0 computes none. Default 0.1. */
  moeLossWeight?: number;
  /**
   * Noise on the router's input, in training only: a factor within 1 ± this. With a `seed` the noise of
   * the n-th call is always the same; a saved model does not keep n, so that one that is loaded to go
   * on training begins with the noise of the first call again. Default null.
   */
  moeJitterEps?: number | null;
  /** Accepted either way: the load-balancing loss is always computed in float32. Default false. */
  moeLblInFp32?: boolean;
  /** The weight of the router z-loss; 1e-3 is reasonable, 0 computes none. Default 0. */
  moeZlossWeight?: number;
  /** Accepted either way: the z-loss is always computed in float32. Default false. */
  moeZlossInFp32?: boolean;
  /** Deals the experts out in turn, whatever the router says: for benchmarks. Default false. */
  uniformExpertAssignment?: boolean;

  /**
   * Keeps the pre-activations for the backward pass but not what the activation makes of them, which
   * is computed again. Default false.
   */
  memoryOptimizedMlp?: boolean;
  /** 'mlp': act(x w1) w2, or 'glu': (act(x w1) * (x v1)) w2. Default 'mlp'. */
  mlpType?: 'mlp' | 'glu';
  /**
   * Of `layers.dMoE` alone: 'grouped' multiplies each expert's rows by its matrices; 'sparse' is the
   * paper's block-sparse product, with each expert's rows padded to the block size. Default 'grouped'.
   */
  mlpImpl?: 'grouped' | 'sparse';
  /** The block size of the 'sparse' products; F must be a multiple of it. Default 128. */
  blockSize?: number;
  /**
   * How the experts' products multiply: 'float32', or 'float16' with float32 sums, on backends whose
   * matrix units do that; the others multiply in float32. Default null: as the backend was set up.
   */
  precision?: Precision | null;

  /** Adds an expert that every token goes to. Default false. */
  sharedExpert?: boolean;
  /** Its hidden size. Default null: F. */
  sharedExpertHiddenSize?: number | null;
  /**
   * Whether to weight the sum: shared / (K + 1) + experts * K / (K + 1) instead of shared + experts.
   * Default false.
   */
  sharedExpertWeightedSum?: boolean;

  /**
   * How the router's weight, w1 and v1 begin: an initializer of tf.layers or its identifier. It sees
   * all experts as one matrix, [E * F, H]. Where it has a seed, each weight draws a stream of its
   * own. Default normal(0, 0.02).
   */
  initMethod?: InitializerIdentifier | null;
  /** How w2 begins. Default null: as `initMethod`. */
  outputLayerInitMethod?: InitializerIdentifier | null;
  /**
   * Seeds the default initializers and the jitter: layers of the same seed are the same. Give every
   * layer of a model a seed of its own. An integer of at least 0. Default null: random.
   */
  seed?: number | null;
}

/** The fields that nothing here can honour. They are accepted with the value that asks for nothing. */
export interface RefusedArguments {
  /** Refused unless false: there is one device, so experts cannot be spread over several. */
  moeExpertModelParallelism?: false;
  /** Refused unless null: see `moeExpertModelParallelism`. */
  expertParallelGroup?: null;
  /** Refused unless 1: there is one device. Give `numLayers` the MoE layers of the whole model. */
  pipelineModelParallelSize?: 1;
  /** Refused unless null: see `pipelineModelParallelSize`. */
  numLayersPerVirtualPipelineStage?: null;
  /** Refused unless false: weights are float32, the one floating-point dtype of TensorFlow.js. */
  fp16?: false;
  /** Refused unless false: see `fp16`. */
  bf16?: false;
  /** Refused unless null: the device is the backend's, `tf.setBackend`. */
  device?: null;
  /** Refused unless null: the shared expert's products are this layer's own. */
  fcCls?: null;
  /** Refused unless null: see `fcCls`. */
  fcKwargs?: null;
  /** Refused unless true: MegaBlocks declares it and reads it nowhere; see `memoryOptimizedMlp`. */
  rematActFn?: true;
}

/** The honoured fields with every default filled in. */
export type ResolvedArguments = {
  [Field in keyof HonouredArguments]-?: Exclude<HonouredArguments[Field], undefined>;
};

type Check = (owner: string, field: string, value: unknown) => void;

const size: Check = (owner, field, value) => assertCount(owner, field, value, {min: 1});
const factor: Check = (owner, field, value) => assertNumber(owner, field, value, {min: 0});
const optional =
  (check: Check): Check =>
  (owner, field, value) =>
    value === null || check(owner, field, value);
const oneOf =
  (...choices: string[]): Check =>
  (owner, field, value) =>
    assertOneOf(owner, field, value, choices);
const initializer = optional((owner, field, value) =>
  resolveInitializer(value as InitializerIdentifier, `${owner}: ${field}`),
);

/** Default and check of every field that is honoured. */
const HONOURED: {
  [Field in keyof ResolvedArguments]: {initial: ResolvedArguments[Field]; check: Check};
} = {
  hiddenSize: {initial: null, check: optional(size)},
  ffnHiddenSize: {initial: 4096, check: size},
  numLayers: {initial: 1, check: size},
  bias: {initial: true, check: assertBoolean},
  returnBias: {initial: false, check: assertBoolean},
  activationFn: {
    initial: 'gelu_new',
    check: (owner, field, value) =>
      resolveActivation(value as ActivationIdentifier, `${owner}: ${field}`),
  },
  moeNumExperts: {initial: 1, check: size},
  moeTopK: {initial: 1, check: size},
  moeCapacityFactor: {initial: 1, check: factor},
  moeNormalizeExpertWeights: {initial: null, check: optional(factor)},
  moeLossWeight: {initial: 0.1, check: factor},
  moeJitterEps: {
    initial: null,
    check: optional((owner, field, value) => assertNumber(owner, field, value, {min: 0, max: 1})),
  },
  moeLblInFp32: {initial: false, check: assertBoolean},
  moeZlossWeight: {initial: 0, check: factor},
  moeZlossInFp32: {initial: false, check: assertBoolean},
  uniformExpertAssignment: {initial: false, check: assertBoolean},
  memoryOptimizedMlp: {initial: false, check: assertBoolean},
  mlpType: {initial: 'mlp', check: oneOf('mlp', 'glu')},
  mlpImpl: {initial: 'grouped', check: oneOf('grouped', 'sparse')},
  blockSize: {initial: 128, check: size},
  precision: {initial: null, check: optional(oneOf('float32', 'float16'))},
  sharedExpert: {initial: false, check: assertBoolean},
  sharedExpertHiddenSize: {initial: null, check: optional(size)},
  sharedExpertWeightedSum: {initial: false, check: assertBoolean},
  initMethod: {initial: null, check: initializer},
  outputLayerInitMethod: {initial: null, check: initializer},
  seed: {
    initial: null,
    check: optional((owner, field, value) => assertCount(owner, field, value, {min: 0})),
  },
};

/** The fields that are refused unless they have the neutral value, and why. */
const REFUSED: Record<keyof RefusedArguments, {neutral: unknown; why: string}> = {
  moeExpertModelParallelism: {neutral: false, why: 'all experts are on one device'},
  expertParallelGroup: {neutral: null, why: 'all experts are on one device'},
  pipelineModelParallelSize: {neutral: 1, why: 'all layers are on one device'},
  numLayersPerVirtualPipelineStage: {neutral: null, why: 'all layers are on one device'},
  fp16: {neutral: false, why: 'weights are float32'},
  bf16: {neutral: false, why: 'weights are float32'},
  device: {neutral: null, why: 'the device is that of the backend in use'},
  fcCls: {neutral: null, why: "the shared expert's products are the layer's own"},
  fcKwargs: {neutral: null, why: "the shared expert's products are the layer's own"},
  rematActFn: {neutral: true, why: 'memoryOptimizedMlp is what recomputes the activation'},
};

/** What tf.layers takes for any layer, and what it adds when it loads one. */
const LAYER_FIELDS: string[] = [
  'name',
  'trainable',
  'inputShape',
  'batchInputShape',
  'batchSize',
  'dtype',
  'inputDType',
  'weights',
  'customObjects',
];

/**
 * Checks a configuration and fills in its defaults. A null is an absent field: it is what saving a
 * model makes of one.
 *
 * @param owner The layer that every message names.
 * @throws If a field is unknown, out of its range, or cannot be honoured.
 */
export function resolveArguments(owner: string, config: MoEArguments): ResolvedArguments {
  for (const [field, value] of Object.entries(config)) {
    assertHonourable(owner, field, value);
  }
  const resolved = Object.fromEntries(
    Object.entries(HONOURED).map(([field, {initial, check}]) => {
      const value = config[field as keyof HonouredArguments] ?? initial;
      check(owner, field, value);
      return [field, value];
    }),
  ) as unknown as ResolvedArguments;
  assertConsistent(owner, resolved);
  return resolved;
}

function assertHonourable(owner: string, field: string, value: unknown) {
  if (Object.hasOwn(REFUSED, field)) {
    const {neutral, why} = REFUSED[field as keyof RefusedArguments];
    assert(
      (value ?? neutral) === neutral,
      () => `${owner}: ${field} must be ${neutral}, since ${why}, got ${describe(value)}`,
    );
    return;
  }
  assert(
    Object.hasOwn(HONOURED, field) || LAYER_FIELDS.includes(field),
    () => `${owner}: ${field} is not a field of the configuration`,
  );
}

function assertConsistent(owner: string, args: ResolvedArguments) {
  const {moeNumExperts, moeTopK, mlpImpl, ffnHiddenSize, blockSize} = args;
  assertCount(owner, 'moeTopK', moeTopK, {min: 1, max: moeNumExperts});
  assert(
    mlpImpl !== 'sparse' || ffnHiddenSize % blockSize === 0,
    () =>
      `${owner}: ffnHiddenSize must be a multiple of blockSize, ${blockSize}, with mlpImpl ` +
      `'sparse', got ${ffnHiddenSize}`,
  );
}
