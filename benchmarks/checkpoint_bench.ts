import * as tf from '@tensorflow/tfjs';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {countParameters, languageModel, type LanguageModelConfig} from '../src/index';
import {sparseSoftmaxCrossEntropyLoss} from '../ops/sparse_softmax_cross_entropy';
import {Checkpoints} from '../training/checkpoint';
import {AdamWOptimizer} from '../training/optimizers/adamw';
import {RunFolder} from '../training/run_folder';
import {withFastMatMul} from './fast_mat_mul';
import type {Benchmark, Comparison} from './harness';

/** As few tokens as a step can sensibly have: larger ones take longer, a checkpoint does not. */
const TOKENS = 128;
const VOCABULARY = {vocabSize: 51200, sequenceLength: TOKENS};
const SIZES: LanguageModelConfig[] = [
  {...VOCABULARY, hiddenSize: 512, numLayers: 6, numHeads: 8},
  {...VOCABULARY, hiddenSize: 768, numLayers: 8, numHeads: 12},
];

/** What training waits for, and what goes on beside it, of one checkpoint. */
function comparison(config: LanguageModelConfig): Comparison {
  const model = languageModel(config);
  const optimizer = new AdamWOptimizer({learningRate: 1e-4, clipNorm: 1});
  model.compile({optimizer, loss: sparseSoftmaxCrossEntropyLoss});
  const ids = tf.zeros([1, TOKENS], 'int32');
  const labels = tf.zeros([1, TOKENS, 1], 'int32');
  const folder = mkdtempSync(join(tmpdir(), 'checkpoint-bench-'));
  process.once('exit', () => rmSync(folder, {recursive: true, force: true}));
  const disk = new RunFolder(folder);
  const memory = {...inMemory, path: 'memory'};
  const state = {step: 1, samples: 0};
  const warn = () => undefined;
  const toDisk = new Checkpoints({storage: disk, config: {}, warn});
  const toNothing = new Checkpoints({storage: memory, config: {}, warn});
  return {
    title: 'checkpoint',
    shapes: {parameters: countParameters(config).total, 'tokens a step': TOKENS},
    contenders: {
      'training step, useFastMatMul': withFastMatMul(async () =>
        tf.dispose(await model.trainOnBatch(ids, labels)),
      ),
      'pause of training': () => toNothing.startSaving(model, state),
      'written to the disk': () => toDisk.save(model, state),
    },
    highlights: ['pause of training'],
  };
}

/** Storage that keeps nothing. */
const inMemory = {
  list: () => [],
  read: () => undefined,
  write: () => true,
  append: () => true,
  remove: () => true,
};

export const benchmark: Benchmark = {
  name: 'checkpoint',
  needsNode: true,
  description: 'how long training waits for a checkpoint, beside a short step',
  comparisons: SIZES.map((config) => () => comparison(config)),
};
