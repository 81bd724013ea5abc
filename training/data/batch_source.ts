import type {Samples} from './samples';

/** Batches of ids, wherever they are read. */
export interface BatchSource {
  /** What errors call it. */
  readonly name: string;
  /** B. */
  readonly batchSize: number;
  /** T. */
  readonly sequenceLength: number;
  /** Samples that there are. */
  readonly numSamples: number;
  /** The ids of a batch, [B, T + 1]: samples B * `batch` and on. */
  read(batch: number): Promise<Int32Array<ArrayBuffer>>;
}

/** Reads the samples of a batch, [B, T + 1]. */
export function readBatch(
  samples: Samples,
  batch: number,
  batchSize: number,
): Int32Array<ArrayBuffer> {
  const width = samples.sequenceLength + 1;
  const ids = new Int32Array(batchSize * width);
  for (let i = 0; i < batchSize; i++) {
    samples.read(batch * batchSize + i, ids.subarray(i * width, (i + 1) * width));
  }
  return ids;
}

/** Batches that are read in this thread. */
export function batchesOf(samples: Samples, batchSize: number): BatchSource {
  const {name, sequenceLength, length: numSamples} = samples;
  const read = async (batch: number) => readBatch(samples, batch, batchSize);
  return {name, batchSize, sequenceLength, numSamples, read};
}
