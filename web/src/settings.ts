import type {LanguageModelConfig} from '../../models/language_model';
import {flopsPerToken} from '../../training/flops';
import {withFeedForward} from '../../training/short_run';

// What a run is made of: everything that the form asks for, and what follows from it.

export const MODEL_KINDS = ['dMoE', 'moe', 'dense'] as const;
export type ModelKind = (typeof MODEL_KINDS)[number];

/** What the page calls each model, and a line about it. */
export const MODELS: Record<ModelKind, {label: string; description: string}> = {
  dMoE: {
    label: 'dMoE',
    description: 'Dropless: every token reaches its experts, however unevenly they are chosen.',
  },
  moe: {
    label: 'Capacity MoE',
    description: 'Each expert has room for so many tokens; those beyond are dropped.',
  },
  dense: {
    label: 'Dense',
    description: 'No experts: one feed-forward with the same operations per token.',
  },
};

/** The sizes of a model and of its batches. */
interface Size {
  label: string;
  description: string;
  layers: number;
  hidden: number;
  heads: number;
  /** F of one expert; the dense model's is top-k times as large. */
  ffn: number;
  sequence: number;
  vocab: number;
  batch: number;
}

export const SIZES = {
  tiny: {
    ...{label: 'Tiny', description: '2 layers of 32; a step takes a blink'},
    ...{layers: 2, hidden: 32, heads: 2, ffn: 64, sequence: 64, vocab: 512, batch: 8},
  },
  small: {
    ...{label: 'Small', description: '3 layers of 64; learns words in minutes'},
    ...{layers: 3, hidden: 64, heads: 2, ffn: 128, sequence: 128, vocab: 2048, batch: 8},
  },
  medium: {
    ...{label: 'Medium', description: '4 layers of 128; better with a GPU'},
    ...{layers: 4, hidden: 128, heads: 4, ffn: 256, sequence: 128, vocab: 4096, batch: 8},
  },
  large: {
    ...{label: 'Large', description: '6 layers of 256; needs a GPU'},
    ...{layers: 6, hidden: 256, heads: 8, ffn: 512, sequence: 256, vocab: 8192, batch: 8},
  },
} satisfies Record<string, Size>;
export type SizeName = keyof typeof SIZES;

/** Everything that makes a run what it is. */
export interface Settings {
  model: ModelKind;
  size: SizeName;
  experts: number;
  topK: number;
  /** Of 'moe': times the fair share that an expert takes. */
  capacityFactor: number;
  steps: number;
  learningRate: number;
  seed: number;
}

export const DEFAULT_SETTINGS: Settings = {
  model: 'dMoE',
  size: 'small',
  experts: 8,
  topK: 2,
  capacityFactor: 1.25,
  steps: 600,
  learningRate: 5e-3,
  seed: 0,
};

/** What each number of the form may be. */
export const NUMBERS = {
  steps: {label: 'Steps', min: 1, max: 100_000, integer: true},
  learningRate: {label: 'Learning rate', min: 1e-6, max: 1, integer: false},
  capacityFactor: {label: 'Capacity factor', min: 0.1, max: 16, integer: false},
  seed: {label: 'Seed', min: 0, max: 2 ** 31 - 1, integer: true},
} satisfies Partial<Record<keyof Settings, object>>;
export type NumberField = keyof typeof NUMBERS;

export const EXPERT_CHOICES = [2, 4, 8, 16, 32];
export const TOP_K_CHOICES = [1, 2, 4];

/** What is wrong with a number of the form; undefined where nothing is. */
export function numberProblem(field: NumberField, value: number): string | undefined {
  const {label, min, max, integer} = NUMBERS[field];
  const ok = value >= min && value <= max && (!integer || Number.isInteger(value));
  return ok
    ? undefined
    : `${label} must be ${integer ? 'a whole number' : 'a number'} from ${min} to ${max}.`;
}

/** What keeps these settings from being trained; undefined where nothing does. */
export function settingsProblem(settings: Settings): string | undefined {
  const {model, experts, topK} = settings;
  const problem = (Object.keys(NUMBERS) as NumberField[])
    .filter((field) => field !== 'capacityFactor' || model === 'moe')
    .map((field) => numberProblem(field, settings[field]))
    .find((text) => text != null);
  if (problem == null && model !== 'dense' && topK > experts) {
    return `Each token can go to ${experts} experts at most, not to ${topK}.`;
  }
  return problem;
}

const CHOICES: Record<Exclude<keyof Settings, NumberField>, readonly unknown[]> = {
  model: MODEL_KINDS,
  size: Object.keys(SIZES),
  experts: EXPERT_CHOICES,
  topK: TOP_K_CHOICES,
};

/** Whether the page has their model and their size, which another version may have called otherwise. */
export function isKnown({model, size}: Settings): boolean {
  return CHOICES.model.includes(model) && CHOICES.size.includes(size);
}

/** The settings of an earlier visit, with the defaults for what can no longer be chosen. */
export function recallSettings(stored: Partial<Record<keyof Settings, unknown>>): Settings {
  const isChoice = (field: keyof Settings, value: unknown) =>
    field in NUMBERS
      ? typeof value === 'number' && numberProblem(field as NumberField, value) == null
      : CHOICES[field as keyof typeof CHOICES].includes(value);
  const recalled = Object.entries(stored).filter(
    ([field, value]) => field in DEFAULT_SETTINGS && isChoice(field as keyof Settings, value),
  );
  return {...DEFAULT_SETTINGS, ...Object.fromEntries(recalled)};
}

/** The part of the steps in which the learning rate rises, as in `npm start`, whose sizes these are. */
export const WARMUP = 0.07;
const INIT_STD = 0.05;
const LOSS_WEIGHT = 0.01;

/** What `languageModel` builds for these settings. */
export function modelConfig(settings: Settings, vocabSize: number): LanguageModelConfig {
  const {model, size, seed} = settings;
  const {layers, hidden, heads, ffn, sequence} = SIZES[size];
  const common = {
    vocabSize,
    sequenceLength: sequence,
    hiddenSize: hidden,
    numLayers: layers,
    numHeads: heads,
    initStd: INIT_STD,
    seed,
  };
  return withFeedForward(common, model, {
    ...settings,
    ffn,
    normalize: 1,
    lossWeight: LOSS_WEIGHT,
  });
}

/** The floating-point operations of a training step. */
export function flopsPerStep({model, size, experts, topK}: Settings): number {
  const {layers, hidden, ffn, sequence, vocab} = SIZES[size];
  const perToken = flopsPerToken({
    numLayers: layers,
    hiddenSize: hidden,
    ffnHiddenSize: ffn,
    sequenceLength: sequence,
    vocabSize: vocab,
    expertsPerToken: topK,
    numExperts: model === 'dense' ? 0 : experts,
  });
  return perToken * tokensPerStep({size});
}

export function tokensPerStep({size}: Pick<Settings, 'size'>): number {
  return SIZES[size].batch * SIZES[size].sequence;
}

/** How often a run is looked at: about so many times over all. */
const EVALUATIONS = 12;
const LOOKS_AT_LOAD = 100;
/** Losing more than this to a crash would hurt. */
const MAX_STEPS_UNSAVED = 50;

/** Steps from one validation, one look at the experts and one checkpoint to the next. */
export function cadence({steps}: Settings) {
  const evalEvery = Math.max(1, Math.round(steps / EVALUATIONS));
  return {
    evalEvery,
    loadEvery: Math.max(1, Math.round(steps / LOOKS_AT_LOAD)),
    saveEvery: Math.min(evalEvery, MAX_STEPS_UNSAVED),
  };
}

/** As in "Capacity MoE, 8 experts, top-2, capacity 1.25". */
export function describeModel({model, experts, topK, capacityFactor}: Settings): string {
  const {label} = MODELS[model];
  const capacity = model === 'moe' ? `, capacity ${capacityFactor}` : '';
  return model === 'dense' ? label : `${label}, ${experts} experts, top-${topK}${capacity}`;
}
