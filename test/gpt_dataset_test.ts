import {mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {BlendedSamples} from '../training/data/blended_samples';
import {parseDataPath} from '../training/data/data_path';
import {GptDataset} from '../training/data/gpt_dataset';
import {buildGptIndex} from '../training/data/gpt_index';
import {cachedGptIndex} from '../training/data/gpt_index_cache';
import {gptSplits} from '../training/data/gpt_splits';
import {IndexedDataset} from '../training/data/indexed_dataset';
import type {Samples} from '../training/data/samples';
import {TokenSequences} from '../training/data/token_sequences';
import {type Split, splitRanges, SPLITS} from '../training/data/splits';

const goldens = join(__dirname, 'goldens');

/** What Megatron-Core 0.16 draws of the goldens' data sets: null where it has nothing to draw from. */
interface GoldenCase {
  name: string;
  prefixes: string[];
  weights: number[] | null;
  split: string;
  sequenceLength: number;
  seed: number;
  numSamples: number[];
  splits: Record<Split, GoldenSplit | null>;
}
interface GoldenSplit {
  length: number;
  samples: Record<string, number[]>;
  documentIndex?: number[];
  sampleIndex?: number[];
  shuffleIndex?: number[];
  datasets?: number[];
  datasetIndex?: number[];
  datasetSampleIndex?: number[];
}
const cases: GoldenCase[] = JSON.parse(
  readFileSync(join(goldens, 'megatron_gpt_dataset.json'), 'utf8'),
);

const opened: IndexedDataset[] = [];
afterEach(() => opened.splice(0).forEach((dataset) => dataset.close()));

function open(name: string): IndexedDataset {
  const dataset = IndexedDataset.open(join(goldens, name));
  opened.push(dataset);
  return dataset;
}

function read(samples: Samples, index: number): number[] {
  const target = new Int32Array(samples.sequenceLength + 1);
  samples.read(index, target);
  return [...target];
}

describe("Megatron's samples", () => {
  it.each(cases)('$name', ({prefixes, weights, split, splits, ...config}) => {
    const sum = weights?.reduce((total, weight) => total + weight, 0);
    const drawn = gptSplits(prefixes.map(open), {
      ...config,
      split,
      weights: weights?.map((weight) => weight / sum!),
      numSamples: Object.fromEntries(SPLITS.map((name, i) => [name, config.numSamples[i]])),
    });
    for (const name of SPLITS) {
      const golden = splits[name];
      const samples = drawn[name];
      expect(samples?.length).toBe(golden?.length);
      if (samples == null || golden == null) {
        continue;
      }
      for (const [index, ids] of Object.entries(golden.samples)) {
        expect(read(samples, Number(index))).toEqual(ids);
      }
      if (samples instanceof GptDataset) {
        const {documentIndex, sampleIndex, shuffleIndex} = samples.index;
        expect([...documentIndex]).toEqual(golden.documentIndex);
        expect([...sampleIndex]).toEqual(golden.sampleIndex);
        expect([...shuffleIndex]).toEqual(golden.shuffleIndex);
      } else {
        const {datasets, index} = samples as BlendedSamples;
        expect(datasets.map(({length}) => length)).toEqual(golden.datasets);
        expect([...index.dataset]).toEqual(golden.datasetIndex);
        expect([...index.sample]).toEqual(golden.datasetSampleIndex);
      }
    }
  });
});

describe('the data path', () => {
  it('takes prefixes, with weights or without', () => {
    expect(parseDataPath(['a'])).toEqual({prefixes: ['a']});
    expect(parseDataPath(['a', 'b'])).toEqual({prefixes: ['a', 'b']});
    expect(parseDataPath(['1', 'a', '3.0', 'b'])).toEqual({
      prefixes: ['a', 'b'],
      weights: [0.25, 0.75],
    });
  });

  it.each([
    [[], '--data-path must name a data set, got none'],
    [['1', 'a', 'b'], '--data-path must have a weight before every prefix or none, got 1 a b'],
    [['1', 'a', 'b', '2'], '--data-path must have a weight before every prefix or none'],
    [['0', 'a', '0', 'b'], 'the weights of --data-path must be at least 0 and not all 0, got 0 0'],
    [
      ['-1', 'a', '2', 'b'],
      'the weights of --data-path must be at least 0 and not all 0, got -1 2',
    ],
  ])('refuses %j', (values, message) => {
    expect(() => parseDataPath(values)).toThrow(`data: ${message}`);
  });
});

describe('the split', () => {
  it('rounds as Python does', () => {
    expect(splitRanges('1,1', 5)).toEqual({
      train: {begin: 0, end: 2},
      valid: {begin: 2, end: 5},
      test: undefined,
    });
    expect(splitRanges('969,30,1', 1000)).toEqual({
      train: {begin: 0, end: 969},
      valid: {begin: 969, end: 999},
      test: {begin: 999, end: 1000},
    });
  });

  it.each(['', 'a', '1,-1', '0,0', '1,2,3,4', '1,,2'])('refuses %j', (split) => {
    expect(() => splitRanges(split, 10)).toThrow(
      `data: split must be proportions of train, valid, test such as '969,30,1', got '${split}'`,
    );
  });
});

describe('samples', () => {
  const name = 'megatron_int32_text_document';
  const config = {sequenceLength: 8, seed: 1};

  it('without a number are those of one epoch', () => {
    const samples = new GptDataset(open(name), config);
    expect([samples.length, samples.index.numEpochs]).toEqual([Math.floor((407 - 1) / 8), 1]);
  });

  it('of a text in memory are those of the file', () => {
    const file = open(name);
    const sequences = Array.from({length: file.numSequences}, (_, i) => file.get(i) as Int32Array);
    const here = new GptDataset(new TokenSequences('text', sequences), config);
    const there = new GptDataset(file, config);
    expect(here.length).toBe(there.length);
    for (let i = 0; i < here.length; i++) {
      expect(read(here, i)).toEqual(read(there, i));
    }
  });

  it('of several data sets without weights are drawn as often as each is long', () => {
    const {train} = gptSplits([open(name), open('megatron_uint16_text_document')], {
      ...{...config, split: '1', numSamples: {train: 1000}},
    });
    const {datasets, index, length} = train as BlendedSamples;
    expect(length).toBe(datasets[0].length + datasets[1].length);
    expect(index.dataset.filter((dataset) => dataset === 0).length).toBe(datasets[0].length);
  });

  it('are refused where a part has not the tokens of one', () => {
    expect(() =>
      gptSplits([open(name)], {
        ...config,
        sequenceLength: 64,
        split: '9,1',
        numSamples: {valid: 1},
      }),
    ).toThrow(
      `data: '${join(goldens, name)}' must have at least 65 tokens, those of one sequence and one ` +
        'more, got 62 in 2 of its 19 documents (valid of --split 9,1)',
    );
  });

  it('of a blend are refused where a data set has too few', () => {
    const samples = new GptDataset(open(name), config);
    expect(() => new BlendedSamples([samples, samples], [0.9, 0.1], 100)).toThrow(
      `data: '${join(goldens, name)}' must have 90 samples for the blend, got 50`,
    );
  });
});

describe('the cache of indices', () => {
  const config = {
    sizes: Int32Array.from({length: 50}, (_, i) => 20 + (i % 7)),
    ...{begin: 10, end: 40, sequenceLength: 16, numSamples: 90, seed: 3},
  };
  let folder: string;
  let warnings: string[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'cache-'));
    warnings = [];
  });
  afterEach(() => rmSync(folder, {recursive: true}));
  const cached = () => cachedGptIndex(folder, (message) => warnings.push(message));
  const file = () => join(folder, readdirSync(folder)[0]);

  it('gives what is built', () => {
    const built = buildGptIndex(config);
    expect(cached()(config)).toEqual(built);
    const bytes = readFileSync(file());
    expect(cached()(config)).toEqual(built);
    expect(readFileSync(file())).toEqual(bytes);
  });

  it('gives what it has, and nothing that is damaged', () => {
    const built = cached()(config);
    const other = cached()({...config, seed: 4});
    expect(other.shuffleIndex).not.toEqual(built.shuffleIndex);
    const [first, second] = readdirSync(folder).map((name) => join(folder, name));
    const bytes = [first, second].map((path) => readFileSync(path));
    // Each in the place of the other.
    writeFileSync(first, bytes[1]);
    writeFileSync(second, bytes[0]);
    expect(cached()(config)).toEqual(other);
    bytes[1][bytes[1].length - 1] ^= 1;
    writeFileSync(first, bytes[1]);
    writeFileSync(second, bytes[1]);
    expect(cached()(config)).toEqual(built);
  });

  it.each([
    ['the seed', {seed: 4}],
    ['the samples', {numSamples: 91}],
    ['the length', {sequenceLength: 17}],
    ['the part', {end: 41}],
    ['a size', {sizes: config.sizes.map((size, i) => size + Number(i === 20))}],
  ])('is by %s', (_, change) => {
    cached()(config);
    expect(cached()({...config, ...change})).toEqual(buildGptIndex({...config, ...change}));
    expect(readdirSync(folder).length).toBe(2);
  });

  it('may be where nothing can be written', () => {
    const path = join(folder, 'file');
    writeFileSync(path, '');
    const build = cachedGptIndex(path, (message) => warnings.push(message));
    expect(build(config)).toEqual(buildGptIndex(config));
    build({...config, seed: 4});
    expect(warnings).toEqual([expect.stringContaining('cannot be written')]);
  });
});
