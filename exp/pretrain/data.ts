import {dirname, join} from 'node:path';
import {assert} from '../../src/asserts';
import {parseDataPath} from '../../training/data/data_path';
import type {GptLoaderConfig} from '../../training/data/gpt_loader';
import {countTokens} from '../../training/data/gpt_index';
import {IndexedDataset} from '../../training/data/indexed_dataset';
import {splitRanges} from '../../training/data/splits';
import {readDescription} from '../../training/preprocess/preprocess';
import {loadTokenizer} from '../../training/tokenizer_files';
import type {Options} from './options';

/** What a run trains on. */
export interface PretrainData {
  /** Ids of the tokenizer. */
  vocabSize: number;
  /** What tells these data sets from others, for those who go on with the run. */
  identity: object;
  /** The tokens of the test part: of several data sets, those of the shortest. */
  testTokens: number;
}

/** So many tokens of a data set are looked at before the first step: in a second or less. */
const MAX_CHECKED_TOKENS = 2 ** 27;

/**
 * Checks the data sets and finds out which tokenizer they were made with.
 *
 * @throws If one is damaged, does not fit the tokenizer that was asked for, or has ids that are not of the
 *     vocabulary. (Of more than a hundred million tokens, a part is looked at; others are found when they are read.)
 */
export async function findData(options: Options): Promise<PretrainData> {
  const {prefixes, weights} = parseDataPath(options.dataPath);
  const datasets: IndexedDataset[] = [];
  try {
    prefixes.forEach((prefix) => datasets.push(IndexedDataset.open(prefix)));
    const vocabSize = await findVocabSize(prefixes, options);
    datasets.forEach((dataset) => checkIds(dataset, vocabSize));
    const sizes = datasets.map(({numSequences, numTokens}) => ({numSequences, numTokens}));
    const testTokens = Math.min(...datasets.map((dataset) => countTestTokens(dataset, options)));
    return {identity: {sizes, weights}, vocabSize, testTokens};
  } finally {
    datasets.forEach((dataset) => dataset.close());
  }
}

function checkIds(dataset: IndexedDataset, vocabSize: number) {
  const {name, numTokens} = dataset;
  const {min, max} = dataset.idRange(MAX_CHECKED_TOKENS);
  assert(
    numTokens === 0 || (min >= 0 && max < vocabSize),
    () =>
      `data: the ids of '${name}' must be from 0 to ${vocabSize - 1}, those of the tokenizer, got ` +
      `ids from ${min} to ${max}`,
  );
}

function countTestTokens(dataset: IndexedDataset, {split}: Options): number {
  const {test} = splitRanges(split, dataset.numSequences);
  return test == null ? 0 : countTokens({sizes: dataset.sizes(), ...test});
}

/** Whether the test part has a sample. That it has none is no error: the split has a small one by default. */
function hasTest({seqLength, evalIters}: Options, {testTokens}: PretrainData): boolean {
  return evalIters > 0 && testTokens > seqLength;
}

/** What to draw: samples of as many steps, validations and tests as the run has. */
export function loaderConfig(options: Options, data: PretrainData): GptLoaderConfig {
  const {dataPath, split, seqLength, seed, trainIters, evalIters} = options;
  const {microBatchSize, globalBatchSize = microBatchSize} = options;
  const blend = parseDataPath(dataPath);
  const {dataCachePath = join(dirname(blend.prefixes[0]), 'cache')} = options;
  const evaluated = evalIters * globalBatchSize;
  return {
    ...blend,
    split,
    sequenceLength: seqLength,
    seed,
    numSamples: {
      train: trainIters * globalBatchSize,
      valid: evaluated,
      test: hasTest(options, data) ? evaluated : 0,
    },
    cachePath: dataCachePath,
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
