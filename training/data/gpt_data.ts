import type {Blend} from './data_path';
import {gptSplits, type GptSplitsConfig} from './gpt_splits';
import {IndexedDataset} from './indexed_dataset';
import type {Samples} from './samples';
import type {Split} from './splits';

/** Which data sets, and what to draw of them. */
export type GptDataConfig = Blend & GptSplitsConfig;

/** Samples of files that are open. */
export interface GptData {
  splits: Partial<Record<Split, Samples>>;
  /** Closes the files. */
  close(): void;
}

/**
 * Opens data sets and draws samples of them.
 *
 * @throws If a file is missing or damaged, or a part has too few tokens.
 */
export function openGptData(config: GptDataConfig): GptData {
  const datasets: IndexedDataset[] = [];
  const close = () => datasets.forEach((dataset) => dataset.close());
  try {
    config.prefixes.forEach((prefix) => datasets.push(IndexedDataset.open(prefix)));
    return {splits: gptSplits(datasets, config), close};
  } catch (error) {
    close();
    throw error;
  }
}
