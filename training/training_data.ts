import type {Tensor2D, Tensor3D} from '@tensorflow/tfjs-core';

/** Samples to learn from: ids and, at each place, the id that comes next. */
export interface Batch {
  /** [B, T], int32. */
  xs: Tensor2D;
  /** [B, T, 1], int32: tf.layers wants targets of the rank of the logits. */
  ys: Tensor3D;
}

/** What `fitDataset` and `evaluateDataset` take: tf.data's Dataset, as far as they use it. */
export interface BatchDataset {
  readonly size: number;
  iterator(): Promise<BatchIterator>;
}

export interface BatchIterator {
  next(): Promise<IteratorResult<Batch>>;
}

/**
 * The data of a training: the micro-batches from a sample on, counted over the whole run. The same
 * sample always comes at the same place, so that a run goes on from the number of samples that it has
 * taken. It may read ahead.
 */
export type TrainingData = (firstSample: number) => BatchIterator | Promise<BatchIterator>;
