import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import * as tf from '@tensorflow/tfjs';
import {sampleData} from '../training/data/batch_queue';
import {batchesOf, readBatch} from '../training/data/batch_source';
import type {TokenDtype} from '../training/data/dtypes';
import {GptDataset} from '../training/data/gpt_dataset';
import {IndexedDataset} from '../training/data/indexed_dataset';
import {IndexedDatasetWriter} from '../training/data/indexed_dataset_writer';
import type {Benchmark, Comparison, Run} from './harness';

const BATCH_SIZE = 32;
const SEQUENCE_LENGTH = 1024;
const NUM_TOKENS = 2 ** 26;
const BYTES = 4;

/** Batches from a file that has just been written: it is in the page cache. */
function batchComparison(tokensPerDocument: number): Comparison {
  const tokens = BATCH_SIZE * SEQUENCE_LENGTH;
  const source = new Int32Array(tokens).fill(1);
  const target = new Int32Array(tokens);
  return {
    title: `batch of samples, documents of ${tokensPerDocument} tokens`,
    shapes: {B: BATCH_SIZE, T: SEQUENCE_LENGTH},
    bytes: 2 * tokens * BYTES,
    contenders: {
      'memory copy': () => target.set(source),
      'samples of uint16': batches('uint16', tokensPerDocument),
      'samples of int32': batches('int32', tokensPerDocument),
      'uint16 to tensors of ids and labels': trainingData('uint16', tokensPerDocument),
    },
  };
}

/** Reads the next batch at each call. */
function batches(dtype: TokenDtype, tokensPerDocument: number): Run {
  const samples = new GptDataset(writeDataset(dtype, tokensPerDocument), {
    sequenceLength: SEQUENCE_LENGTH,
    seed: 1,
  });
  const numBatches = Math.floor(samples.length / BATCH_SIZE);
  let next = 0;
  return () => void readBatch(samples, next++ % numBatches, BATCH_SIZE);
}

/** All that `fitDataset` waits for. */
function trainingData(dtype: TokenDtype, tokensPerDocument: number): Run {
  const samples = new GptDataset(writeDataset(dtype, tokensPerDocument), {
    sequenceLength: SEQUENCE_LENGTH,
    seed: 1,
  });
  const data = sampleData({source: batchesOf(samples, BATCH_SIZE), vocabSize: 2 ** 16});
  let iterator = data(0);
  return async () => {
    let next = await (await iterator).next();
    if (next.done) {
      iterator = data(0);
      next = await (await iterator).next();
    }
    tf.dispose([next.value.xs, next.value.ys]);
  };
}

function writeDataset(dtype: TokenDtype, tokensPerDocument: number): IndexedDataset {
  const folder = mkdtempSync(join(tmpdir(), 'data-bench-'));
  process.once('exit', () => rmSync(folder, {recursive: true, force: true}));
  const writer = IndexedDatasetWriter.create(join(folder, 'data'), dtype);
  const document = Int32Array.from({length: tokensPerDocument}, (_, i) => i);
  for (let i = 0; i < NUM_TOKENS / tokensPerDocument; i++) {
    writer.add([document]);
  }
  writer.finish();
  return IndexedDataset.open(join(folder, 'data'));
}

export const benchmark: Benchmark = {
  name: 'data',
  needsNode: true,
  description: 'batches of samples from an indexed data set in the page cache',
  comparisons: [() => batchComparison(2048), () => batchComparison(256)],
};
