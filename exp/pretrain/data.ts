import {assert} from '../../src/asserts';
import {parseDataPath} from '../../training/data/data_path';
import type {GptDataConfig} from '../../training/data/gpt_data';
import {IndexedDataset} from '../../training/data/indexed_dataset';
import {readDescription} from '../../training/preprocess/preprocess';
import {loadTokenizer} from '../../training/tokenizer_files';
import type {Options} from './options';

/** What a run trains on. */
export interface PretrainData {
  /** Ids of the tokenizer. */
  vocabSize: number;
  /** What tells these data sets from others, for those who go on with the run. */
  identity: object[];
}

/**
 * Checks the data sets and finds out which tokenizer they were made with.
 *
 * @throws If one is damaged, or does not fit the tokenizer that was asked for.
 */
export async function findData(options: Options): Promise<PretrainData> {
  const {prefixes} = parseDataPath(options.dataPath);
  const identity = prefixes.map((prefix) => {
    const dataset = IndexedDataset.open(prefix);
    const {numSequences, numTokens} = dataset;
    dataset.close();
    return {numSequences, numTokens};
  });
  return {identity, vocabSize: await findVocabSize(prefixes, options)};
}

/** What to draw: samples of as many steps and validations as the run has. */
export function dataConfig(options: Options): GptDataConfig {
  const {dataPath, split, seqLength, seed, trainIters, evalIters} = options;
  const {microBatchSize, globalBatchSize = microBatchSize} = options;
  return {
    ...parseDataPath(dataPath),
    split,
    sequenceLength: seqLength,
    seed,
    numSamples: {train: trainIters * globalBatchSize, valid: evalIters * microBatchSize},
  };
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
