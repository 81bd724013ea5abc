import type {BatchLoader} from './batch_loader';
import {type BatchSource, batchesOf} from './batch_source';
import type {Blend} from './data_path';
import {gptSplits, type GptSplitsConfig} from './gpt_splits';
import {IndexedDataset} from './indexed_dataset';
import type {Samples} from './samples';
import type {Split} from './splits';

/** Which data sets, and what to draw of them. */
export type GptLoaderConfig = Blend & GptSplitsConfig;

/** Reads the samples of some data sets in this thread. */
export class GptLoader implements BatchLoader {
  /** Of each part that was asked for. */
  readonly splits: Partial<Record<Split, Samples>>;
  private readonly datasets: IndexedDataset[] = [];

  /** @throws If a file is missing or damaged, or a part has too few tokens. */
  constructor(config: GptLoaderConfig) {
    try {
      config.prefixes.forEach((prefix) => this.datasets.push(IndexedDataset.open(prefix)));
      this.splits = gptSplits(this.datasets, config);
    } catch (error) {
      this.datasets.forEach((dataset) => dataset.close());
      throw error;
    }
  }

  batches(split: Split, batchSize: number): BatchSource | undefined {
    const samples = this.splits[split];
    return samples && batchesOf(samples, batchSize);
  }

  async close() {
    this.datasets.forEach((dataset) => dataset.close());
  }
}
