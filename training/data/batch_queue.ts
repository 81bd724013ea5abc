import {tensor2d, tensor3d} from '@tensorflow/tfjs-core';
import {assert, assertCount, assertLimit} from '../../src/asserts';
import type {Batch, BatchDataset, TrainingData} from '../training_data';
import type {BatchSource} from './batch_source';

/** A batch in the form that tf.data wants: of a type with an index signature. */
export type SampleBatch = Pick<Batch, keyof Batch>;

/** How far batches are. */
export interface BatchesState {
  /** Samples taken so far. */
  position: number;
}

/** Which batches, and how they are read. */
export interface SampleBatchesConfig {
  source: BatchSource;
  /** V: the ids must be below it. Not checked where it is not given. */
  vocabSize?: number;
  /** Batches that are asked for ahead. Default 2. */
  prefetch?: number;
}

/**
 * Batches of samples in their order. The next ones are asked for before they are taken: a source in a thread
 * of its own reads them while a model trains on this one.
 */
export class BatchQueue {
  /** Whole batches that the samples fill. */
  readonly numBatches: number;
  /** Batches that are being read, from the next one on. */
  private readonly ahead: Promise<Int32Array>[] = [];
  protected taken: number;

  /**
   * @param state Where the batches go on, as another object's `state` says.
   * @throws If the samples do not fill one batch.
   */
  constructor(
    protected readonly config: SampleBatchesConfig,
    {position}: BatchesState = {position: 0},
  ) {
    const {name, batchSize, numSamples} = config.source;
    assertCount('SampleBatches', 'batchSize', batchSize, {min: 1});
    if (config.prefetch != null) {
      assertCount('SampleBatches', 'prefetch', config.prefetch, {min: 0});
    }
    this.numBatches = Math.floor(numSamples / batchSize);
    assert(
      this.numBatches > 0,
      () => `data: '${name}' must have the samples of a batch, ${batchSize}, got ${numSamples}`,
    );
    this.taken = position / batchSize;
    assertCount('SampleBatches', 'position / batchSize', this.taken, {min: 0});
  }

  /** How many samples were taken; saved with a checkpoint. */
  get state(): BatchesState {
    return {position: this.taken * this.config.source.batchSize};
  }

  /** The batches from `state` on, to the last. */
  rest(): AsyncGenerator<SampleBatch> {
    return this.generate(this.numBatches - this.taken);
  }

  /** So many batches. */
  async *generate(count: number): AsyncGenerator<SampleBatch> {
    for (let i = 0; i < count; i++) {
      yield await this.take();
    }
  }

  private async take(): Promise<SampleBatch> {
    const {source, prefetch = 2} = this.config;
    assert(
      this.taken < this.numBatches,
      () => `data: '${source.name}' must have more than ${this.numBatches} batches, got no more`,
    );
    while (this.ahead.length <= prefetch && this.taken + this.ahead.length < this.numBatches) {
      const batch = source.read(this.taken + this.ahead.length);
      batch.catch(() => undefined); // It is thrown when the batch is taken.
      this.ahead.push(batch);
    }
    const ids = await this.ahead.shift()!;
    this.checkIds(ids);
    this.taken++;
    return toBatch(ids, source);
  }

  private checkIds(ids: Int32Array) {
    const {source, vocabSize} = this.config;
    if (vocabSize == null) {
      return;
    }
    for (const id of ids) {
      if (id < 0 || id >= vocabSize) {
        throw new Error(
          `data: the ids of '${source.name}' must be from 0 to ${vocabSize - 1}, those of the ` +
            `vocabulary, got ${id}: it was made with another tokenizer`,
        );
      }
    }
  }
}

/**
 * The batches of samples as data for `trainLanguageModel`.
 *
 * @throws If the samples do not fill one batch.
 */
export function sampleData(config: SampleBatchesConfig): TrainingData {
  new BatchQueue(config); // Says at once what is wrong.
  return (firstSample) => new BatchQueue(config, {position: firstSample}).rest();
}

/**
 * The first batches of samples, or all of them, as data for `trainLanguageModel` to validate on.
 *
 * @throws If the samples do not fill one batch.
 */
export function evaluationData(config: SampleBatchesConfig, maxBatches = Infinity): BatchDataset {
  assertLimit('evaluationData', 'maxBatches', maxBatches);
  const size = Math.min(maxBatches, new BatchQueue(config).numBatches);
  return {size, iterator: async () => new BatchQueue(config).generate(size)};
}

function toBatch(ids: Int32Array, {batchSize, sequenceLength}: BatchSource): SampleBatch {
  const xs = new Int32Array(batchSize * sequenceLength);
  const ys = new Int32Array(xs.length);
  for (let i = 0; i < batchSize; i++) {
    const begin = i * (sequenceLength + 1);
    xs.set(ids.subarray(begin, begin + sequenceLength), i * sequenceLength);
    ys.set(ids.subarray(begin + 1, begin + 1 + sequenceLength), i * sequenceLength);
  }
  return {
    xs: tensor2d(xs, [batchSize, sequenceLength], 'int32'),
    ys: tensor3d(ys, [batchSize, sequenceLength, 1], 'int32'),
  };
}
