import type {LanguageModelConfig} from './language_model';

// The sizes of the MegaBlocks paper: table 1 (dense) and table 2 (64 experts, top-1, the same FLOPs a
// token). Sequences of 1024 tokens; GPT-2's vocabulary, padded to 51200.

/** The sizes, by the paper's names and by the parameters of the dense model. */
const SIZES = {
  xs: {hiddenSize: 512, numLayers: 6, numHeads: 8},
  small: {hiddenSize: 768, numLayers: 12, numHeads: 12},
  medium: {hiddenSize: 1024, numLayers: 24, numHeads: 16},
  large: {hiddenSize: 1536, numLayers: 24, numHeads: 24},
  xl: {hiddenSize: 2048, numLayers: 24, numHeads: 32},
} as const;

export type PresetSize = keyof typeof SIZES;
/** A size alone is dense; with the suffix it has 64 experts in every block. */
export type PresetName = PresetSize | `${PresetSize}-64e`;

const NUM_EXPERTS = 64;
const EXPERTS_SUFFIX = '-64e';

/** Every preset by its name: 'xs', 'small', 'medium', 'large', 'xl', and 'xs-64e' and so on. */
export const LANGUAGE_MODEL_PRESETS = Object.fromEntries(
  Object.entries(SIZES).flatMap(([name, size]) => {
    const dense: LanguageModelConfig = {vocabSize: 51200, sequenceLength: 1024, ...size};
    const experts: LanguageModelConfig = {
      ...dense,
      feedForward: 'dMoE',
      moe: {moeNumExperts: NUM_EXPERTS, moeTopK: 1},
    };
    return [
      [name, dense],
      [name + EXPERTS_SUFFIX, experts],
    ];
  }),
) as Record<PresetName, LanguageModelConfig>;
