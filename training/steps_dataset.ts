import type {Batch, BatchDataset, BatchIterator, TrainingData} from './training_data';

export interface StepsDatasetConfig {
  data: TrainingData;
  /** Micro-batches a step. */
  microBatches: number;
  /** An epoch ends after each step that is a multiple of this. */
  stepsPerEpoch: number;
  /** The data ends after this step. */
  lastStep: number;
  /** Steps done before. */
  firstStep: number;
  /** Samples that they took. */
  firstSample: number;
}

/**
 * Training data as a data set for `fitDataset`: its epochs end where there is something to do between two
 * steps, and it counts what was taken.
 */
export class StepsDataset implements BatchDataset {
  /** Samples taken since the beginning of the run. */
  samples: number;
  /** Tokens taken since this data set was made. */
  tokens = 0;
  /** Samples of a micro-batch. */
  microBatchSize = 0;
  private batches: number;
  private data?: BatchIterator;

  constructor(private readonly config: StepsDatasetConfig) {
    this.samples = config.firstSample;
    this.batches = config.firstStep * config.microBatches;
  }

  get size(): number {
    const {lastStep, firstStep, microBatches} = this.config;
    return (lastStep - firstStep) * microBatches;
  }

  async iterator(): Promise<BatchIterator> {
    const {stepsPerEpoch, lastStep, microBatches} = this.config;
    const epoch = Math.floor(this.batches / microBatches / stepsPerEpoch);
    const end = Math.min(lastStep, (epoch + 1) * stepsPerEpoch) * microBatches;
    return {
      next: async () =>
        this.batches < end
          ? {value: await this.take(), done: false}
          : {value: undefined, done: true},
    };
  }

  private async take(): Promise<Batch> {
    this.data ??= await this.config.data(this.samples);
    const {value, done} = await this.data.next();
    if (done) {
      throw new Error(`training data: must go on after sample ${this.samples}, got its end`);
    }
    this.batches++;
    [this.microBatchSize] = value.xs.shape;
    this.samples += this.microBatchSize;
    this.tokens += value.xs.size;
    return value;
  }
}
