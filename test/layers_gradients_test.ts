import * as tf from '@tensorflow/tfjs';
import {layers} from '../src/index';
import type {MoEArguments} from '../layers/arguments';
import {describeEachBackend} from './backends';
import {expectGradients} from './finite_differences';
import {random} from './random';
import {toleranceFloor} from './settings';

// The gradients of whole MoE layers, for the input and every weight, against central differences.

const [T, H, F, E] = [4, 3, 2, 3];
const CONFIG: MoEArguments = {
  ffnHiddenSize: F,
  moeNumExperts: E,
  moeTopK: 2,
  moeNormalizeExpertWeights: 2,
  moeLossWeight: 0.5,
  moeZlossWeight: 0.1,
  initMethod: tf.initializers.randomNormal({stddev: 0.7, seed: 5}),
};

const KINDS: Record<string, () => tf.layers.Layer> = {
  'dMoE, grouped': () => layers.dMoE(CONFIG),
  'dMoE, sparse': () => layers.dMoE({...CONFIG, mlpImpl: 'sparse', blockSize: 2}),
  'dMoE, glu': () => layers.dMoE({...CONFIG, mlpType: 'glu', activationFn: 'silu'}),
  'dMoE, memory-optimized': () => layers.dMoE({...CONFIG, memoryOptimizedMlp: true}),
  'dMoE, sparse glu, memory-optimized': () =>
    layers.dMoE({
      ...CONFIG,
      mlpType: 'glu',
      mlpImpl: 'sparse',
      blockSize: 2,
      memoryOptimizedMlp: true,
    }),
  'dMoE with a shared expert': () =>
    layers.dMoE({...CONFIG, sharedExpert: true, sharedExpertWeightedSum: true, seed: 3}),
  // Experts 0 and 1 are chosen by three and four tokens, and take two.
  'moe, dropping': () => layers.moe({...CONFIG, moeCapacityFactor: 1}),
  'moe, glu, memory-optimized': () =>
    layers.moe({...CONFIG, moeCapacityFactor: 0, mlpType: 'glu', memoryOptimizedMlp: true}),
};

/** Uniform, from -scale to scale. */
function noise(shape: number[], seed: number, scale = 1): tf.Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  return tf.mul(scale, tf.tensor(random(size, seed), shape));
}

describeEachBackend('central differences', () => {
  // On wasm tfjs takes what tf.customGrad saves for a leak.
  beforeAll(() => tf.env().set('IS_TEST', false));

  test.each(Object.entries(KINDS))('%s', (_, make) => {
    const layer = make();
    layer.build([null, H]);
    tf.tidy(() => {
      // A token's own features are far larger than the rest, and are its logits but for some noise: no
      // small step routes it otherwise.
      const owned = Array.from({length: T}, (_, t) =>
        Array.from({length: H}, (_, h) => [1.5, 0.8, -0.5][(h + (t < 2 ? 0 : t)) % H]),
      );
      const x = tf.add(noise([T, H], 1, 0.1), tf.tensor2d(owned));
      const values = layer.weights.map(({originalName, shape}, i) => {
        if (originalName.endsWith('router.layer.weight')) {
          return tf.add(tf.eye(E, H), noise([E, H], 2, 0.1));
        }
        return noise(shape as number[], 10 + i);
      });
      const f = (x: tf.Tensor, ...weights: tf.Tensor[]) => {
        // What the layer reads is what the gradient is for.
        const reads = layer.weights.map((weight, i) =>
          jest.spyOn(weight, 'read').mockReturnValue(weights[i] as tf.Variable),
        );
        const y = layer.apply(x, {training: true}) as tf.Tensor;
        reads.forEach((read) => read.mockRestore());
        return tf.concat([tf.reshape(y, [-1]), tf.stack(layer.calculateLosses())]);
      };
      // In half precision, six products follow one another.
      expectGradients(f, [x, ...values], {tolerance: Math.max(3e-3, 2 * toleranceFloor)});
    });
    layer.weights.forEach((weight) => weight.dispose());
  });
});
