import {BlendedSamples} from './blended_samples';
import type {Blend} from './data_path';
import {GptDataset, type GptDatasetConfig} from './gpt_dataset';
import type {Samples} from './samples';
import type {SequenceSource} from './sequence_source';
import {type Split, splitRanges, SPLITS} from './splits';

/** What to draw for training, validation and test. */
export interface GptSplitsConfig {
  /** The weights of the data sets; undefined where each is drawn as often as it is long. */
  weights?: Blend['weights'];
  /** Proportions such as '969,30,1'. */
  split: string;
  sequenceLength: number;
  /** Samples needed of each part; none of a part where there is no number. */
  numSamples: Partial<Record<Split, number>>;
  seed: number;
  /** As `GptDataset` takes it. */
  buildIndex?: GptDatasetConfig['buildIndex'];
}

/** Room for rounding: each data set of a blend has so many samples more than its weight asks for. */
const SURPLUS = 0.005;

/**
 * The samples of each part of some data sets. One data set is sampled as it is, several are blended.
 *
 * @throws If a part that is needed has fewer tokens than one sample.
 * @see megatron.core.datasets.blended_megatron_dataset_builder
 */
export function gptSplits(
  sources: readonly SequenceSource[],
  config: GptSplitsConfig,
): Partial<Record<Split, Samples>> {
  const needed = SPLITS.filter((split) => (config.numSamples[split] ?? 0) > 0);
  return Object.fromEntries(needed.map((split) => [split, blend(sources, split, config)]));
}

function blend(sources: readonly SequenceSource[], split: Split, config: GptSplitsConfig): Samples {
  const wanted = config.numSamples[split]!;
  if (sources.length === 1) {
    return sample(sources[0], split, config, wanted);
  }
  const {weights} = config;
  if (weights == null) {
    return BlendedSamples.all(
      sources.map((source) => sample(source, split, config)),
      wanted,
    );
  }
  const counts = weights.map((weight) => Math.ceil(wanted * weight));
  const datasets = sources.map((source, i) =>
    sample(source, split, config, Math.ceil(counts[i] * (1 + SURPLUS))),
  );
  return new BlendedSamples(
    datasets,
    weights,
    counts.reduce((sum, count) => sum + count, 0),
  );
}

function sample(
  source: SequenceSource,
  split: Split,
  {split: proportions, sequenceLength, seed, buildIndex}: GptSplitsConfig,
  numSamples?: number,
): GptDataset {
  const range = splitRanges(proportions, source.numSequences)[split] ?? {begin: 0, end: 0};
  try {
    return new GptDataset(source, {sequenceLength, numSamples, seed, range, buildIndex});
  } catch (error) {
    const message = `${(error as Error).message} (${split} of --split ${proportions})`;
    throw new Error(message, {cause: error});
  }
}
