import {assert, MAX_INT32} from '../../src/asserts';
import {NumpyRandomState} from './numpy_random_state';

/** What decides how sequences become samples. */
export interface GptIndexConfig {
  /** The tokens of every sequence of the data set. */
  sizes: Int32Array;
  /** The sequences to sample from. */
  begin: number;
  end: number;
  /** T. */
  sequenceLength: number;
  /** Samples that are needed; without it, those of one epoch. */
  numSamples?: number;
  seed: number;
}

/**
 * Where every sample is. All sequences of an epoch are put one after the other in random order, and so
 * are the epochs; this is cut into samples of T tokens, each with the first of the next after it, and
 * the samples are shuffled.
 */
export interface GptIndex {
  numEpochs: number;
  /** The sequences in their order. */
  documentIndex: Int32Array;
  /** Where each sample begins: an entry of `documentIndex` and a token of that sequence; [2 (n + 1)]. */
  sampleIndex: Int32Array;
  /** The samples in their order, [n]. */
  shuffleIndex: Uint32Array;
}

/** A last epoch of which less than this is needed stays apart, so that it repeats nothing early. */
const SEPARATE_BELOW = 0.8;

/** Tokens of a sample beyond T: the target of its last token. */
const EXTRA = 1;

/**
 * Builds the index that Megatron-LM builds, to the number.
 *
 * @throws If the sequences are too many for int32.
 * @see megatron.core.datasets.gpt_dataset.GPTDataset
 */
export function buildGptIndex(config: GptIndexConfig): GptIndex {
  const {sequenceLength, numSamples, seed} = config;
  const tokensPerEpoch = countTokens(config);
  const wanted = numSamples == null ? 0 : numSamples * sequenceLength + EXTRA;
  const numEpochs = Math.max(1, Math.ceil(wanted / tokensPerEpoch));
  const samplesOf = (epochs: number) =>
    Math.floor((epochs * tokensPerEpoch - EXTRA) / sequenceLength);
  const before = numEpochs > 1 ? samplesOf(numEpochs - 1) : 0;
  const isSeparate =
    numEpochs > 1 && numSamples! - before < Math.floor(SEPARATE_BELOW * samplesOf(1));

  const random = new NumpyRandomState(seed);
  const documentIndex = buildDocumentIndex(config, numEpochs, isSeparate, random);
  const sampleIndex = buildSampleIndex(config, documentIndex, samplesOf(numEpochs));
  const shuffleIndex = new Uint32Array(samplesOf(numEpochs));
  for (let i = 0; i < shuffleIndex.length; i++) {
    shuffleIndex[i] = i;
  }
  if (isSeparate) {
    random.shuffle(shuffleIndex.subarray(0, before));
    random.shuffle(shuffleIndex.subarray(before));
  } else {
    random.shuffle(shuffleIndex);
  }
  return {numEpochs, documentIndex, sampleIndex, shuffleIndex};
}

/** The tokens of the sequences that are sampled from. */
export function countTokens({sizes, begin, end}: Pick<GptIndexConfig, 'sizes' | 'begin' | 'end'>) {
  let sum = 0;
  for (let i = begin; i < end; i++) {
    sum += sizes[i];
  }
  return sum;
}

function buildDocumentIndex(
  {begin, end}: GptIndexConfig,
  numEpochs: number,
  isSeparate: boolean,
  random: NumpyRandomState,
): Int32Array {
  const perEpoch = end - begin;
  const size = numEpochs * perEpoch;
  assert(
    size <= MAX_INT32,
    () => `data: sequences times epochs must be at most ${MAX_INT32}, got ${size}`,
  );
  const index = new Int32Array(size);
  for (let i = 0; i < size; i++) {
    index[i] = begin + (i % perEpoch);
  }
  if (isSeparate) {
    random.shuffle(index.subarray(0, size - perEpoch));
    random.shuffle(index.subarray(size - perEpoch));
  } else {
    random.shuffle(index);
  }
  return index;
}

function buildSampleIndex(
  {sizes, sequenceLength}: GptIndexConfig,
  documentIndex: Int32Array,
  numSamples: number,
): Int32Array {
  const index = new Int32Array(2 * (numSamples + 1));
  let document = 0;
  let offset = 0;
  for (let sample = 1; sample <= numSamples; sample++) {
    // A sample begins where the one before ends; its extra token is the first of the next one. Where
    // that is the first token of a sequence, the sample begins after the last of the one before.
    let left = sequenceLength + EXTRA;
    for (;;) {
      const size = sizes[documentIndex[document]] - offset;
      if (left <= size) {
        offset += left - EXTRA;
        break;
      }
      left -= size;
      document++;
      offset = 0;
    }
    index[2 * sample] = document;
    index[2 * sample + 1] = offset;
  }
  return index;
}
