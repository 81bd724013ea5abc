import type {FeedForward, LanguageModelConfig} from '../models/language_model';
import type {LearningRateSchedule} from './learning_rate_schedule';

// What `npm start` and the page train with: small models for some hundred steps, of which each kind does the
// same operations per token.

/** The paper's runs have beta2 0.999, which is for longer ones. */
export const ADAMW = {beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.01, clipNorm: 1};

/** As MegaBlocks' scripts have it: a warm-up over a part of the steps, then a cosine down to a tenth. */
export function warmUpAndCosine(
  steps: number,
  learningRate: number,
  warmup: number,
): LearningRateSchedule {
  return {
    decayStyle: 'cosine',
    maxLearningRate: learningRate,
    minLearningRate: learningRate / 10,
    warmupSteps: Math.round(warmup * steps),
    decaySteps: steps,
  };
}

/** The experts of a run; the dense model's feed-forward is as wide as those of one token together. */
export interface Experts {
  /** F of one expert. */
  ffn: number;
  experts: number;
  topK: number;
  /** Of 'moe' alone. */
  capacityFactor: number;
  normalize: number;
  lossWeight: number;
}

/** What `languageModel` builds of each kind. */
export function withFeedForward(
  common: LanguageModelConfig,
  feedForward: FeedForward,
  {ffn, experts, topK, capacityFactor, normalize, lossWeight}: Experts,
): LanguageModelConfig {
  if (feedForward === 'dense') {
    return {...common, feedForward, ffnHiddenSize: topK * ffn};
  }
  return {
    ...common,
    feedForward,
    ffnHiddenSize: ffn,
    moe: {
      moeNumExperts: experts,
      moeTopK: topK,
      moeNormalizeExpertWeights: normalize,
      moeLossWeight: lossWeight,
      ...(feedForward === 'moe' && {moeCapacityFactor: capacityFactor}),
    },
  };
}
