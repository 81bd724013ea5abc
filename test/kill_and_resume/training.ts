import '@tensorflow/tfjs-backend-cpu';
import {enableProdMode, setBackend} from '@tensorflow/tfjs-core';
import {languageModel, sparseSoftmaxCrossEntropyLoss} from '../../src/index';
import {randomWindows, validationBatches} from '../../training/batches';
import {AdamWOptimizer} from '../../training/optimizers/adamw';
import {RunFolder} from '../../training/run_folder';
import {RunLock} from '../../training/run_lock';
import {StopRequest} from '../../training/stop_request';
import {TensorBoardLog} from '../../training/tensorboard/tensorboard_log';
import {trainLanguageModel} from '../../training/train_language_model';

// A training in the folder that is the argument, to be killed at any moment. It has all that a run could
// forget: jitter, momentum, a schedule, micro-batches, random data, a best checkpoint.

const STEPS = 30;
const SIZES = {vocabSize: 64, sequenceLength: 4, hiddenSize: 32, numLayers: 1, numHeads: 2};

async function main(path: string, maxShardBytes?: number) {
  enableProdMode(); // Else tfjs recommends a backend.
  await setBackend('cpu');
  const lock = RunLock.acquire(path);
  const folder = new RunFolder(path, (message) => {
    throw new Error(message);
  });
  folder.removeLeftovers();
  const ids = Int32Array.from({length: 500}, (_, i) => (i * i + (i % 7)) % SIZES.vocabSize);
  const {sequenceLength} = SIZES;
  process.stdout.write('ready\n');
  await trainLanguageModel({
    name: 'killed',
    model: languageModel({
      ...SIZES,
      feedForward: 'dMoE',
      moe: {moeNumExperts: 8, moeTopK: 2, moeJitterEps: 0.1},
      seed: 1,
    }),
    optimizer: new AdamWOptimizer({
      learningRate: {
        decayStyle: 'cosine',
        maxLearningRate: 0.02,
        warmupSteps: 4,
        decaySteps: STEPS,
      },
      weightDecay: 0.1,
      clipNorm: 1,
      accumulationSteps: 2,
    }),
    loss: sparseSoftmaxCrossEntropyLoss,
    train: randomWindows({ids, batchSize: 2, sequenceLength, seed: 3}),
    validation: validationBatches({ids, batchSize: 4, sequenceLength}, 2),
    steps: STEPS,
    evalEvery: 6,
    saveEvery: 2,
    maxShardBytes,
    loadEvery: 5,
    folder,
    config: SIZES,
    sinks: [new TensorBoardLog(folder)],
    stop: new StopRequest(),
    createProgress: () => ({step: () => undefined, note: () => undefined, stop: () => undefined}),
  });
  lock.release();
}

const [, , folder, bytes] = process.argv;
void main(folder, bytes == null ? undefined : Number(bytes));
