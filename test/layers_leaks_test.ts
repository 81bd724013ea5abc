import * as tf from '@tensorflow/tfjs';
import {layers} from '../src/index';
import type {MoEArguments} from '../layers/arguments';
import {describeEachBackend} from './backends';

// Training must hold no more memory after a hundred steps than before, whatever the layer.

const H = 8;
const CONFIG: MoEArguments = {
  ffnHiddenSize: 16,
  moeNumExperts: 4,
  moeTopK: 2,
  moeZlossWeight: 0.01,
  seed: 1,
  inputShape: [H],
};

const KINDS: Record<string, () => tf.layers.Layer> = {
  'dMoE, grouped': () => layers.dMoE(CONFIG),
  'dMoE, sparse': () => layers.dMoE({...CONFIG, mlpImpl: 'sparse', blockSize: 8}),
  'dMoE, glu, memory-optimized': () =>
    layers.dMoE({...CONFIG, mlpType: 'glu', memoryOptimizedMlp: true}),
  'dMoE, sparse, memory-optimized': () =>
    layers.dMoE({...CONFIG, mlpImpl: 'sparse', blockSize: 8, memoryOptimizedMlp: true}),
  'dMoE with jitter and a shared expert': () =>
    layers.dMoE({...CONFIG, moeJitterEps: 0.1, sharedExpert: true}),
  moe: () => layers.moe({...CONFIG, moeCapacityFactor: 1.25}),
  'moe, memory-optimized, with jitter': () =>
    layers.moe({...CONFIG, memoryOptimizedMlp: true, moeJitterEps: 0.1}),
};

const counts = () => {
  const {numTensors, numDataBuffers, numBytes} = tf.memory();
  return {numTensors, numDataBuffers, numBytes, ids: tf.backend().numDataIds()};
};

describeEachBackend('a hundred steps', (backendName) => {
  // A GPU in software takes its time.
  const epochs = backendName === 'webgpu' ? 1 : 4;

  // Leaks are counted by the test itself: on wasm tfjs takes what its own dense layer saves for the
  // backward pass for a leak.
  beforeAll(() => tf.env().set('IS_TEST', false));

  test.each(Object.entries(KINDS))('of %s leak nothing', async (_, make) => {
    const model = tf.sequential({layers: [make(), tf.layers.dense({units: 1})]});
    model.compile({optimizer: 'sgd', loss: 'meanSquaredError'});
    const x = tf.randomUniform([100, H], -1, 1, 'float32', 1);
    const y = tf.tidy(() => tf.sum(x, 1, true));
    const fit = (epochs: number) => model.fit(x, y, {epochs, batchSize: 4, verbose: 0});
    await fit(1);
    const before = counts();
    await fit(epochs);
    expect(counts()).toEqual(before);
    model.dispose();
    tf.dispose([x, y]);
  });
});
