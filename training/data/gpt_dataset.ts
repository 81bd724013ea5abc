import {assert, assertCount} from '../../src/asserts';
import {buildGptIndex, countTokens, type GptIndex, type GptIndexConfig} from './gpt_index';
import type {Samples} from './samples';
import type {SequenceSource} from './sequence_source';

/** What to sample. */
export interface GptDatasetConfig {
  /** T. */
  sequenceLength: number;
  /** Samples that are needed; without it, those of one epoch. There may be more of them. */
  numSamples?: number;
  seed: number;
  /** The sequences to sample from. All of them, where it is not given. */
  range?: {begin: number; end: number};
  /** Builds the index, or has it from a cache. Default `buildGptIndex`. */
  buildIndex?: (config: GptIndexConfig) => GptIndex;
}

/**
 * Samples of token sequences as Megatron-LM draws them to train a GPT: sequences in random order, one
 * after the other, cut into samples of T tokens, in random order. They are the very samples that
 * Megatron-LM draws from the same data set by the same seed.
 *
 * In memory are 4 bytes for each sequence and epoch, and 12 for each sample.
 */
export class GptDataset implements Samples {
  readonly name: string;
  readonly sequenceLength: number;
  readonly index: GptIndex;

  /** @throws If the sequences do not have the tokens of one sample. */
  constructor(
    private readonly source: SequenceSource,
    {sequenceLength, numSamples, seed, range, buildIndex = buildGptIndex}: GptDatasetConfig,
  ) {
    this.name = source.name;
    this.sequenceLength = sequenceLength;
    assertCount(this.name, 'sequenceLength', sequenceLength, {min: 1});
    assertCount(this.name, 'seed', seed, {min: 0, max: 2 ** 32 - 1});
    const {begin, end} = range ?? {begin: 0, end: source.numSequences};
    const config = {sizes: source.sizes(), begin, end, sequenceLength, numSamples, seed};
    const numTokens = countTokens(config);
    assert(
      numTokens > sequenceLength,
      () =>
        `data: '${this.name}' must have at least ${sequenceLength + 1} tokens, those of one sequence ` +
        `and one more, got ${numTokens} in ${end - begin} of its ${source.numSequences} documents`,
    );
    this.index = buildIndex(config);
  }

  get length(): number {
    return this.index.shuffleIndex.length;
  }

  read(index: number, target: Int32Array) {
    const {documentIndex, sampleIndex, shuffleIndex} = this.index;
    const sample = shuffleIndex[index];
    let document = sampleIndex[2 * sample];
    let offset = sampleIndex[2 * sample + 1];
    for (let done = 0; done < target.length; document++, offset = 0) {
      const sequence = documentIndex[document];
      const length = Math.min(this.source.size(sequence) - offset, target.length - done);
      if (length > 0) {
        this.source.read(sequence, offset, target.subarray(done, done + length));
        done += length;
      }
    }
  }
}
