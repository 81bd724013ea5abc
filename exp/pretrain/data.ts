import {assert} from '../../src/asserts';
import {parseDataPath} from '../../training/data/data_path';
import {gptSplits} from '../../training/data/gpt_splits';
import {IndexedDataset} from '../../training/data/indexed_dataset';
import type {Samples} from '../../training/data/samples';
import type {Split} from '../../training/data/splits';
import {readDescription} from '../../training/preprocess/preprocess';
import {loadTokenizer} from '../../training/tokenizer_files';
import type {Options} from './options';

/** The data sets of a run. */
export class PretrainData {
  private constructor(
    private readonly datasets: readonly IndexedDataset[],
    /** Ids of the tokenizer. */
    readonly vocabSize: number,
  ) {}

  /**
   * Opens the data sets and finds out which tokenizer they were made with.
   *
   * @throws If one is damaged, or does not fit the tokenizer that was asked for.
   */
  static async open(options: Options): Promise<PretrainData> {
    const {prefixes} = parseDataPath(options.dataPath);
    const datasets: IndexedDataset[] = [];
    try {
      prefixes.forEach((prefix) => datasets.push(IndexedDataset.open(prefix)));
      return new PretrainData(datasets, await findVocabSize(prefixes, options));
    } catch (error) {
      datasets.forEach((dataset) => dataset.close());
      throw error;
    }
  }

  /** What tells these data sets from others, for those who go on with the run. */
  get identity(): object[] {
    return this.datasets.map(({numSequences, numTokens}) => ({numSequences, numTokens}));
  }

  /** Samples of as many steps and validations as the run has. */
  split(options: Options): Partial<Record<Split, Samples>> {
    const {dataPath, split, seqLength, seed, trainIters, evalIters} = options;
    const {microBatchSize, globalBatchSize = microBatchSize} = options;
    return gptSplits(this.datasets, {
      weights: parseDataPath(dataPath).weights,
      split,
      sequenceLength: seqLength,
      seed,
      numSamples: {train: trainIters * globalBatchSize, valid: evalIters * microBatchSize},
    });
  }

  close() {
    this.datasets.forEach((dataset) => dataset.close());
  }
}

/** By the tokenizer that is asked for; else by that which the data sets say; else GPT-2's. */
async function findVocabSize(prefixes: readonly string[], options: Options): Promise<number> {
  const {tokenizerType, vocabFile, mergeFile, tokenizerModel: model} = options;
  const described = prefixes.flatMap((prefix) => {
    const description = readDescription(prefix);
    return description == null ? [] : [{prefix, ...description}];
  });
  const isAskedFor = (tokenizerType ?? vocabFile ?? mergeFile ?? model) != null;
  const wanted =
    isAskedFor || described.length === 0
      ? await loadTokenizer({
          type: tokenizerType ?? 'GPT2BPETokenizer',
          vocabFile,
          mergeFile,
          model,
        })
      : {...described[0], hash: described[0].tokenizerHash};
  const other = described.find(
    ({tokenizerHash, vocabSize}) => tokenizerHash !== wanted.hash || vocabSize !== wanted.vocabSize,
  );
  assert(
    other == null,
    () =>
      `data: '${other!.prefix}' must be made with the tokenizer of the run, of ${wanted.vocabSize} ` +
      `tokens, got one of another tokenizer, of ${other!.vocabSize}`,
  );
  return wanted.vocabSize;
}
