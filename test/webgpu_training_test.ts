import * as tf from '@tensorflow/tfjs';
import type {LanguageModelConfig} from '../src/index';
import {languageModel, sparseSoftmaxCrossEntropyLoss} from '../src/index';
import {AdamWOptimizer} from '../training/optimizers/adamw';
import {randomWindows} from '../training/batches';
import {StepsDataset} from '../training/steps_dataset';
import {describeEachBackend} from './backends';
import {tinyIds} from './tiny_language_model';

// A language model trains on a GPU as it does on the CPU, and holds no more memory from step to step.

const STEPS = 50;
/** By then every program and every buffer is there. */
const WARM_UP = 5;
const SIZES = {vocabSize: 13, sequenceLength: 6, hiddenSize: 8, numLayers: 1, numHeads: 2, seed: 1};
const MOE = {moeNumExperts: 3, moeTopK: 2};
const CONFIGS: [string, LanguageModelConfig][] = [
  ['dense', SIZES],
  ['moe', {...SIZES, feedForward: 'moe', moe: {...MOE, moeCapacityFactor: 1.5}}],
  ['dMoE', {...SIZES, feedForward: 'dMoE', moe: MOE}],
];

interface Step {
  loss: number;
  numTensors: number;
  gpuBytes?: number;
}

/** Trains on the backend in use. */
async function train(config: LanguageModelConfig): Promise<Step[]> {
  const steps: Step[] = [];
  const model = languageModel(config);
  const optimizer = new AdamWOptimizer({learningRate: 0.01, weightDecay: 0.1});
  model.compile({optimizer, loss: sparseSoftmaxCrossEntropyLoss});
  const {sequenceLength} = config;
  const batches = new StepsDataset({
    data: randomWindows({ids: tinyIds(200), batchSize: 4, sequenceLength, seed: 1}),
    ...{microBatches: 1, stepsPerEpoch: STEPS, lastStep: STEPS, firstStep: 0, firstSample: 0},
  });
  await model.fitDataset(batches, {
    epochs: 1,
    verbose: 0,
    callbacks: {
      onBatchEnd: async (_, logs) => {
        const {numTensors, numBytesAllocatedInGPU: gpuBytes} = tf.memory() as Memory;
        steps.push({loss: logs!.loss, numTensors, gpuBytes});
      },
    },
  });
  model.dispose();
  optimizer.dispose();
  return steps;
}

type Memory = tf.MemoryInfo & {numBytesAllocatedInGPU?: number};

describeEachBackend(
  'a language model',
  () => {
    test.each(CONFIGS)('trains as on the cpu: %s', async (_, config) => {
      await tf.setBackend('cpu');
      const expected = await train(config);
      await tf.setBackend('webgpu');
      const steps = await train(config);

      const difference = steps.map(({loss}, i) => Math.abs(loss - expected[i].loss));
      expect(difference.length).toBe(STEPS);
      expect(Math.max(...difference)).toBeLessThan(1e-3);
      expect(steps.at(-1)!.loss).toBeLessThan(0.8 * steps[0].loss);

      const {numTensors, gpuBytes} = steps[WARM_UP];
      expect(gpuBytes).toBeGreaterThan(0);
      for (const step of steps.slice(WARM_UP)) {
        expect(step).toMatchObject({numTensors, gpuBytes});
      }
    });
  },
  ['webgpu'],
);
