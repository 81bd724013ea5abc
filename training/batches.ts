import {tensor2d, tensor3d} from '@tensorflow/tfjs-core';
import {assert, assertCount, assertLimit} from '../src/asserts';
import {randomNumbers} from '../src/random';
import type {Batch, BatchDataset, TrainingData} from './training_data';

/** The shape of a batch and what it is cut from. */
export interface BatchesConfig {
  /** The text, one id after the other. */
  ids: Int32Array;
  /** B, the windows in a batch. */
  batchSize: number;
  /** T, the length of a window. */
  sequenceLength: number;
}

/**
 * Endless training data. The text is cut into windows that do not overlap, which are drawn in random
 * order until all are used; then it is cut at another offset and drawn anew. Each draw depends on the
 * seed and on its number alone.
 *
 * @throws If the ids do not fill two windows.
 */
export function randomWindows(config: BatchesConfig & {seed: number}): TrainingData {
  assertShape('randomWindows', config);
  const windows = new RandomWindows(config);
  return (firstSample) => {
    let sample = firstSample;
    const next = () => {
      const starts = Array.from({length: config.batchSize}, () => windows.start(sample++));
      return toBatch(config, starts);
    };
    return {next: async () => ({value: next(), done: false})};
  };
}

/** Where the windows of a text begin, in random order. */
class RandomWindows {
  private epoch = -1;
  private offset = 0;
  private order = new Uint32Array(0);
  private readonly windowsPerEpoch: number;

  constructor(private readonly config: BatchesConfig & {seed: number}) {
    const {ids, sequenceLength} = config;
    // Any offset below a window's length leaves as many whole windows.
    this.windowsPerEpoch = Math.floor((ids.length - sequenceLength) / sequenceLength);
    assert(
      this.windowsPerEpoch >= 1,
      () =>
        `randomWindows: ids must be at least ${2 * sequenceLength}, two windows of ` +
        `${sequenceLength}, got ${ids.length}`,
    );
  }

  start(sample: number): number {
    const epoch = Math.floor(sample / this.windowsPerEpoch);
    if (epoch !== this.epoch) {
      this.shuffle(epoch);
    }
    const window = this.order[sample % this.windowsPerEpoch];
    return this.offset + window * this.config.sequenceLength;
  }

  private shuffle(epoch: number) {
    const random = randomNumbers(this.config.seed * 1_000_003 + epoch);
    this.epoch = epoch;
    this.offset = Math.floor(random() * this.config.sequenceLength);
    this.order = randomPermutation(this.windowsPerEpoch, random);
  }
}

/**
 * The whole text once, in order, as batches of one shape: the windows after the last whole batch are
 * left out, since evaluation weights every batch alike.
 *
 * @param maxBatches The number of batches at most, evenly spread over the text.
 * @throws If the ids do not fill one batch.
 */
export function validationBatches(config: BatchesConfig, maxBatches = Infinity): BatchDataset {
  const {ids, batchSize, sequenceLength} = config;
  assertShape('validationBatches', config);
  assertLimit('validationBatches', 'maxBatches', maxBatches);
  const numWindows = Math.floor((ids.length - 1) / sequenceLength);
  const numBatches = Math.min(Math.floor(numWindows / batchSize), maxBatches);
  assert(
    numBatches >= 1,
    () =>
      `validationBatches: ids must fill a batch, ${batchSize * sequenceLength + 1}, ` +
      `got ${ids.length}`,
  );
  const used = numBatches * batchSize;
  const windowStart = (i: number) => Math.floor((i * numWindows) / used) * sequenceLength;
  return dataset(numBatches, () => {
    let batch = 0;
    return () => {
      const first = batch++ * batchSize;
      return batch > numBatches
        ? undefined
        : toBatch(
            config,
            Array.from({length: batchSize}, (_, i) => windowStart(first + i)),
          );
    };
  });
}

/** A data set from a function that starts a pass over it: a function that gives batch after batch. */
function dataset(size: number, start: () => () => Batch | undefined): BatchDataset {
  return {
    size,
    iterator: async () => {
      const next = start();
      return {
        next: async () => {
          const value = next();
          return value == null ? {value: undefined, done: true} : {value, done: false};
        },
      };
    },
  };
}

function toBatch({ids, sequenceLength}: BatchesConfig, starts: number[]): Batch {
  const xs = new Int32Array(starts.length * sequenceLength);
  const ys = new Int32Array(xs.length);
  starts.forEach((start, i) => {
    xs.set(ids.subarray(start, start + sequenceLength), i * sequenceLength);
    ys.set(ids.subarray(start + 1, start + 1 + sequenceLength), i * sequenceLength);
  });
  return {
    xs: tensor2d(xs, [starts.length, sequenceLength], 'int32'),
    ys: tensor3d(ys, [starts.length, sequenceLength, 1], 'int32'),
  };
}

/** The numbers 0 to `size` - 1 in random order (Fisher and Yates). */
function randomPermutation(size: number, random: () => number): Uint32Array<ArrayBuffer> {
  const permutation = Uint32Array.from({length: size}, (_, i) => i);
  for (let i = size - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [permutation[i], permutation[j]] = [permutation[j], permutation[i]];
  }
  return permutation;
}

function assertShape(op: string, {batchSize, sequenceLength}: BatchesConfig) {
  assertCount(op, 'batchSize', batchSize, {min: 1});
  assertCount(op, 'sequenceLength', sequenceLength, {min: 1});
}
