import {LANGUAGE_MODEL_PRESETS, type PresetName as PaperPresetName} from '../../models/presets';

// Every default of the language model's run, in one place.

/** What a preset sets; each has an option of its own on the command line. */
export interface Sizes {
  layers: number;
  hidden: number;
  heads: number;
  /** The standard deviation of the weights at the start. */
  initStd: number;
  /** Of one expert; the dense model's is as many times as large as experts compute for a token. */
  ffn: number;
  sequence: number;
  tokenizer: TokenizerName;
  vocab: number;
  experts: number;
  topK: number;
  capacityFactor: number;
  lossWeight: number;
  /** The p of the norm that divides the weights of a token's experts; 0 for none. */
  normalize: number;
  steps: number;
  batch: number;
  lr: number;
  /** The part of the steps in which the learning rate rises. */
  warmup: number;
  evalEvery: number;
  evalBatches: number;
  saveEvery: number;
}

/** GPT-2's tokenizer, or one that is learned from the text. */
export const TOKENIZERS = ['bpe', 'gpt2'] as const;
export type TokenizerName = (typeof TOKENIZERS)[number];

/** What every preset begins with. */
const COMMON = {
  topK: 1,
  capacityFactor: 1.25,
  evalBatches: 16,
};

/**
 * A few minutes on two cores, without a GPU. Sizes and rates were chosen by the validation loss of
 * many short runs: in so little time a small model that sees the text twice learns more than a larger
 * one that sees it once, and it is small models that experts help most. Weights of so few columns
 * must begin larger than the paper's 0.02, and two experts with normalized weights learn faster than
 * one whose weight begins near 1 / experts.
 */
const MINI: Sizes = {
  ...COMMON,
  layers: 3,
  hidden: 64,
  heads: 2,
  initStd: 0.05,
  ffn: 128,
  sequence: 128,
  tokenizer: 'bpe',
  vocab: 2048,
  experts: 32,
  topK: 2,
  normalize: 1,
  lossWeight: 0.01,
  steps: 700,
  batch: 8,
  lr: 5e-3,
  warmup: 0.07,
  evalEvery: 100,
  saveEvery: 100,
};

export const PRESETS = {
  mini: MINI,
  xs: paperSizes('xs', 6e-4),
  small: paperSizes('small', 6e-4),
  medium: paperSizes('medium', 6e-4),
  large: paperSizes('large', 4e-4),
  xl: paperSizes('xl', 4e-4),
} satisfies Record<string, Sizes>;

export type PresetName = keyof typeof PRESETS;
export const DEFAULT_PRESET: PresetName = 'mini';

/** A size of the paper, trained as MegaBlocks' scripts in its exp/dmoe train it, but for the batch. */
function paperSizes(name: PaperPresetName, lr: number): Sizes {
  const {numLayers, hiddenSize, numHeads, sequenceLength, vocabSize} = LANGUAGE_MODEL_PRESETS[name];
  return {
    ...COMMON,
    layers: numLayers,
    hidden: hiddenSize,
    heads: numHeads,
    initStd: 0.01,
    ffn: 4 * hiddenSize,
    sequence: sequenceLength,
    tokenizer: 'gpt2',
    vocab: vocabSize,
    experts: 64,
    normalize: 0,
    lossWeight: 0.1,
    steps: 20000,
    batch: 8,
    lr,
    warmup: 0.01,
    evalEvery: 1000,
    saveEvery: 2000,
  };
}
