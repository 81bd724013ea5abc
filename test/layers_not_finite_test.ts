import * as tf from '@tensorflow/tfjs';
import {layers} from '../src/index';
import type {MoEArguments} from '../layers/arguments';
import {describeEachBackend} from './backends';

// A number that is not finite must reach the loss, and not vanish on the way.

const [T, H] = [6, 8];
const CONFIG: MoEArguments = {
  ffnHiddenSize: 16,
  moeNumExperts: 4,
  moeTopK: 2,
  moeZlossWeight: 0.01,
  seed: 1,
};

const KINDS: Record<string, (config?: MoEArguments) => tf.layers.Layer> = {
  'dMoE, grouped': (config) => layers.dMoE({...CONFIG, ...config}),
  'dMoE, sparse': (config) => layers.dMoE({...CONFIG, mlpImpl: 'sparse', blockSize: 8, ...config}),
  'dMoE, memory-optimized': (config) =>
    layers.dMoE({...CONFIG, memoryOptimizedMlp: true, ...config}),
  'moe, dropping': (config) => layers.moe({...CONFIG, moeCapacityFactor: 0.5, ...config}),
};

/** Tokens of which the last has one feature of its own. */
function tokens(feature: number): tf.Tensor2D {
  const values = Array.from({length: T * H}, (_, i) => Math.sin(i));
  values[values.length - 3] = feature;
  return tf.tensor2d(values, [T, H]);
}

async function valuesOf(tensors: tf.Tensor[]): Promise<number[]> {
  const values = await Promise.all(tensors.map((tensor) => tensor.data()));
  tf.dispose(tensors);
  return values.flatMap((list) => [...list]);
}

describeEachBackend('what is not finite', () => {
  // On wasm tfjs takes what its own layers and tf.customGrad save for a leak.
  beforeAll(() => tf.env().set('IS_TEST', false));

  describe.each(Object.entries(KINDS))('%s', (_, make) => {
    test('makes the loss of fit NaN', async () => {
      const fit = async (feature: number) => {
        const model = tf.sequential({
          layers: [make({inputShape: [H]}), tf.layers.dense({units: 1})],
        });
        model.compile({optimizer: 'sgd', loss: 'meanSquaredError'});
        const [x, y] = [tokens(feature), tf.zeros([T, 1])];
        const {history} = await model.fit(x, y, {epochs: 1, batchSize: T, verbose: 0});
        model.dispose();
        tf.dispose([x, y]);
        return history.loss[0];
      };
      expect(await fit(0)).toBeGreaterThan(0);
      expect(await fit(NaN)).toBeNaN();
    });

    test('makes the load-balancing loss and the z-loss NaN', async () => {
      const losses = async (feature: number) => {
        const layer = make();
        layer.build([null, H]);
        const values = await valuesOf(
          tf.tidy(() => {
            layer.apply(tokens(feature), {training: true});
            return layer.calculateLosses();
          }),
        );
        layer.weights.forEach((weight) => weight.dispose());
        return values;
      };
      const [balancing, zloss] = await losses(0);
      expect(balancing).toBeGreaterThan(0);
      expect(zloss).toBeGreaterThan(0);
      expect(await losses(NaN)).toEqual([NaN, NaN]);
    });

    test.each([NaN, Infinity, -Infinity])(
      'makes the token of %p NaN where there is one expert',
      async (feature) => {
        const layer = make({moeNumExperts: 1, moeTopK: 1});
        layer.build([null, H]);
        const values = await valuesOf([tf.tidy(() => layer.apply(tokens(feature)) as tf.Tensor)]);
        expect(values.map(Number.isNaN)).toEqual(values.map((_, i) => i >= (T - 1) * H));
        layer.weights.forEach((weight) => weight.dispose());
      },
    );
  });
});
