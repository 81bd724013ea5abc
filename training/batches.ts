import {type Tensor2D, type Tensor3D, tensor2d, tensor3d} from '@tensorflow/tfjs-core';
import {assert, assertCount} from '../src/asserts';
import {randomNumbers} from '../src/random';

/** Ids and, at each place, the id that comes next. */
export interface Batch {
  /** [B, T], int32. */
  xs: Tensor2D;
  /** [B, T, 1], int32: tf.layers wants targets of the rank of the logits. */
  ys: Tensor3D;
}

/** What `fitDataset` and `evaluateDataset` take: tf.data's Dataset, as far as they use it. */
export interface BatchDataset {
  readonly size: number;
  iterator(): Promise<{next(): Promise<IteratorResult<Batch>>}>;
}

/** The shape of a batch and what it is cut from. */
export interface BatchesConfig {
  /** The text, one id after the other. */
  ids: Int32Array;
  /** B, the windows in a batch. */
  batchSize: number;
  /** T, the length of a window. */
  sequenceLength: number;
}

/** How far the training data is; saved with a checkpoint. */
export interface BatchesState {
  /** Windows drawn so far. */
  position: number;
}

/**
 * Endless training batches. The text is cut into windows that do not overlap, which are drawn in
 * random order until all are used; then it is cut at another offset and drawn anew. Each draw depends
 * on the seed and on its number alone, so a run goes on exactly where its state says.
 */
export class TrainingBatches {
  private epoch = -1;
  private offset = 0;
  private order = new Uint32Array(0);
  private readonly windowsPerEpoch: number;

  /** @throws If the ids do not fill two windows. */
  constructor(
    private readonly config: BatchesConfig & {seed: number},
    private position = 0,
  ) {
    const {ids, sequenceLength} = config;
    assertShape('TrainingBatches', config);
    // Any offset below a window's length leaves as many whole windows.
    this.windowsPerEpoch = Math.floor((ids.length - sequenceLength) / sequenceLength);
    assert(
      this.windowsPerEpoch >= 1,
      () =>
        `TrainingBatches: ids must be at least ${2 * sequenceLength}, two windows of ` +
        `${sequenceLength}, got ${ids.length}`,
    );
  }

  get state(): BatchesState {
    return {position: this.position};
  }

  /** Times that the whole text was drawn. */
  get epochs(): number {
    return this.position / this.windowsPerEpoch;
  }

  /**
   * The batches as a data set for `fitDataset`: an epoch of it ends after each step that is a multiple
   * of `stepsPerEpoch`, and after step `lastStep`.
   *
   * @param firstStep How many steps came before.
   */
  dataset(stepsPerEpoch: number, lastStep: number, firstStep = 0): BatchDataset {
    let step = firstStep;
    return dataset(lastStep - firstStep, () => {
      const end = Math.min(lastStep, (Math.floor(step / stepsPerEpoch) + 1) * stepsPerEpoch);
      return () => {
        if (step === end) {
          return undefined;
        }
        step++;
        return this.next();
      };
    });
  }

  /** The next batch. */
  next(): Batch {
    const {batchSize} = this.config;
    return toBatch(
      this.config,
      Array.from({length: batchSize}, () => this.nextWindow()),
    );
  }

  private nextWindow(): number {
    const epoch = Math.floor(this.position / this.windowsPerEpoch);
    if (epoch !== this.epoch) {
      this.shuffle(epoch);
    }
    const window = this.order[this.position++ % this.windowsPerEpoch];
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
