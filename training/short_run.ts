import {evaluationData, sampleData} from './data/batch_queue';
import {batchesOf} from './data/batch_source';
import {GptDataset} from './data/gpt_dataset';
import {TokenSequences} from './data/token_sequences';
import type {BatchDataset, TrainingData} from './training_data';
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

/** A text in memory, and how it is cut. */
export interface TextSamplesConfig {
  /** The ids of the documents to train on, and of those that are held out. */
  train: readonly Int32Array[];
  validation: readonly Int32Array[];
  /** Steps of the run. */
  steps: number;
  batchSize: number;
  sequenceLength: number;
  seed: number;
}

/**
 * The samples of a run on a text in memory, drawn as those of a data set are.
 *
 * @returns What to train on, and what is held out: its first batches, or all.
 * @throws If there are not the tokens of one sample to train on, or of one batch to validate on.
 */
export function textSamples(config: TextSamplesConfig): {
  train: TrainingData;
  validation: (maxBatches?: number) => BatchDataset;
} {
  const {train, validation, steps, batchSize, sequenceLength, seed} = config;
  const batches = (name: string, documents: readonly Int32Array[], numSamples?: number) => {
    const sequences = new TokenSequences(name, documents);
    const samples = new GptDataset(sequences, {sequenceLength, numSamples, seed});
    return {source: batchesOf(samples, batchSize)};
  };
  const heldOut = batches('the text that is held out', validation);
  return {
    train: sampleData(batches('the text to train on', train, steps * batchSize)),
    validation: (maxBatches) => evaluationData(heldOut, maxBatches),
  };
}
