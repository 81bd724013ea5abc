import type {BatchSource} from './batch_source';
import type {Split} from './splits';

/** Reads the samples of some data sets. */
export interface BatchLoader {
  /** The batches of a part of the data; undefined where none were asked for. */
  batches(split: Split, batchSize: number): BatchSource | undefined;
  close(): Promise<void>;
}
