import type {BatchLoader} from './batch_loader';
import {type BatchSource, batchesOf} from './batch_source';
import type {Blend} from './data_path';
import {cachedGptIndex} from './gpt_index_cache';
import {gptSplits, type GptSplitsConfig} from './gpt_splits';
import {IndexedDataset} from './indexed_dataset';
import type {Samples} from './samples';
import type {Split} from './splits';

/** Which data sets, and what to draw of them. */
export interface GptLoaderConfig extends Blend, Omit<GptSplitsConfig, 'buildIndex' | 'weights'> {
  /** A folder where the indices of the samples are kept for other runs. Default: they are not. */
  cachePath?: string;
}

/** Reads the samples of some data sets in this thread. */
export class GptLoader implements BatchLoader {
  /** Of each part that was asked for. */
  readonly splits: Partial<Record<Split, Samples>>;
  private readonly datasets: IndexedDataset[] = [];

  /** @throws If a file is missing or damaged, or a part has too few tokens. */
  constructor(config: GptLoaderConfig) {
    try {
      config.prefixes.forEach((prefix) => this.datasets.push(IndexedDataset.open(prefix)));
      const {cachePath} = config;
      const buildIndex = cachePath == null ? undefined : cachedGptIndex(cachePath);
      this.splits = gptSplits(this.datasets, {...config, buildIndex});
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
