import type {LanguageModelConfig} from '../../models/language_model';
import {flopsPerToken} from '../../training/flops';
import {withFeedForward} from '../../training/short_run';
import type {ModelKind, Options} from './options';

/** What a model is called. */
export const MODEL_NAMES: Record<ModelKind, string> = {dmoe: 'dMoE', moe: 'MoE', dense: 'dense'};

/** The model of a kind. The dense one has the FLOPs a token of the dropless one, but for its router. */
export function modelConfig(
  kind: ModelKind,
  options: Options,
  vocabSize: number,
): LanguageModelConfig {
  const {layers, hidden, heads, initStd, sequence, seed} = options;
  const common = {
    vocabSize,
    sequenceLength: sequence,
    hiddenSize: hidden,
    numLayers: layers,
    numHeads: heads,
    initStd,
    seed,
  };
  return withFeedForward(common, kind === 'dmoe' ? 'dMoE' : kind, options);
}

/** The floating-point operations of a training step for one token. */
export function modelFlopsPerToken(kind: ModelKind, options: Options, vocabSize: number): number {
  const {layers, hidden, ffn, sequence, experts, topK, capacityFactor} = options;
  // A capacity's empty slots are computed too; without one as many as the tokens are.
  const slots = kind === 'moe' && capacityFactor > 0 ? capacityFactor : 1;
  return flopsPerToken({
    numLayers: layers,
    hiddenSize: hidden,
    ffnHiddenSize: ffn,
    sequenceLength: sequence,
    vocabSize,
    expertsPerToken: topK * slots,
    numExperts: kind === 'dense' ? 0 : experts,
  });
}
