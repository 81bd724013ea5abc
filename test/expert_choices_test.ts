import * as tf from '@tensorflow/tfjs';
import {expertChoices, layers, RouterStats} from '../src/index';
import type {MoEArguments} from '../layers/arguments';
import {describeEachBackend} from './backends';

const [H, E, K] = [8, 4, 2];
const CONFIG: MoEArguments = {ffnHiddenSize: 8, moeNumExperts: E, moeTopK: K, seed: 1};

/** A model of a dMoE and, within a model of its own, a capacity MoE. */
function buildModel(): tf.LayersModel {
  const inner = tf.input({shape: [3, H]});
  const capacity = layers.moe({...CONFIG, name: 'capacity'});
  const block = tf.model({inputs: inner, outputs: capacity.apply(inner) as tf.SymbolicTensor});
  return tf.sequential({
    layers: [layers.dMoE({...CONFIG, name: 'dropless', inputShape: [3, H]}), block],
  });
}

describeEachBackend('expertChoices', () => {
  test("gives each token's experts, the likeliest first", async () => {
    const model = buildModel();
    const x = tf.randomUniform([2, 3, H], -1, 1, 'float32', 1);
    const [first, ...rest] = expertChoices(model, x);
    const [router] = model.layers[0].getWeights();
    const scores = tf.matMul(tf.reshape(x, [6, H]), router as tf.Tensor2D, false, true);
    const {indices} = tf.topk(scores, K);

    expect(first.layer).toBe('dropless');
    expect(first.experts.dtype).toBe('int32');
    expect(await first.experts.array()).toEqual(await indices.array());
    expect(rest.map(({layer, experts}) => [layer, experts.shape])).toEqual([['capacity', [6, K]]]);
  });

  test('counts as the layers do in training, and keeps nothing but its result', async () => {
    const model = buildModel();
    const stats = new RouterStats();
    const x = tf.randomUniform([2, 3, H], -1, 1, 'float32', 1);
    model.compile({optimizer: tf.train.sgd(0), loss: 'meanSquaredError'});
    await model.fit(x, x, {epochs: 1, verbose: 0, callbacks: [stats]});

    const {numTensors} = tf.memory();
    const choices = expertChoices(model, x);
    expect(tf.memory().numTensors).toBe(numTensors + choices.length);
    for (const [i, {experts}] of choices.entries()) {
      const chosen = await experts.data();
      const counts = Array.from({length: E}, (_, e) => chosen.filter((c) => c === e).length);
      expect(counts).toEqual(stats.history[i].tokensPerExpert);
      experts.dispose();
    }
  });

  test('gives nothing of a dense model', () => {
    const model = tf.sequential({layers: [tf.layers.dense({units: 1, inputShape: [2]})]});
    expect(expertChoices(model, tf.zeros([1, 2]))).toEqual([]);
  });
});
