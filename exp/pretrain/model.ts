import type {LanguageModelConfig} from '../../models/language_model';
import {flopsPerToken} from '../../training/flops';
import type {Options} from './options';

/** The model that options ask for. */
export function modelConfig(options: Options, vocabSize: number): LanguageModelConfig {
  const {numLayers, hiddenSize, ffnHiddenSize, numAttentionHeads, seqLength, initMethodStd} =
    options;
  const {moeNumExperts, moeCapacityFactor, moeTopK, seed} = options;
  const common: LanguageModelConfig = {
    vocabSize: paddedVocabSize(options, vocabSize),
    sequenceLength: seqLength,
    hiddenSize,
    numLayers,
    numHeads: numAttentionHeads,
    ffnHiddenSize,
    initStd: initMethodStd,
    seed,
  };
  if (moeNumExperts == null) {
    return common;
  }
  const moe = {
    moeNumExperts,
    moeTopK,
    moeLossWeight: options.moeLossWeight,
    moeZlossWeight: options.moeZlossWeight,
    ...(options.moeJitterEps != null && {moeJitterEps: options.moeJitterEps}),
    ...(options.glu && {mlpType: 'glu' as const}),
  };
  return moeCapacityFactor > 0
    ? {...common, feedForward: 'moe', moe: {...moe, moeCapacityFactor}}
    : {...common, feedForward: 'dMoE', moe};
}

/** Ids that stand for no token fill the vocabulary up, as Megatron-LM does for fast products. */
function paddedVocabSize({makeVocabSizeDivisibleBy: multiple}: Options, vocabSize: number): number {
  return Math.ceil(vocabSize / multiple) * multiple;
}

/** What legends call the model. */
export function modelName({feedForward = 'dense'}: LanguageModelConfig): string {
  return feedForward === 'moe' ? 'MoE' : feedForward;
}

/** The floating-point operations of a training step for one token. */
export function modelFlopsPerToken(config: LanguageModelConfig): number {
  const {hiddenSize, ffnHiddenSize = 4 * hiddenSize, moe} = config;
  const {moeNumExperts = 0, moeTopK = 1, moeCapacityFactor = 0} = moe ?? {};
  return flopsPerToken({
    ...config,
    // A gated expert has three matrices where others have two.
    ffnHiddenSize: ffnHiddenSize * (moe?.mlpType === 'glu' ? 1.5 : 1),
    // A capacity's empty slots are computed too; without one as many as the tokens are.
    expertsPerToken: moeTopK * (moeCapacityFactor > 0 ? moeCapacityFactor : 1),
    numExperts: moeNumExperts,
  });
}
