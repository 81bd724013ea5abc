import * as tf from '@tensorflow/tfjs';
import {DMoE} from '../layers/dmoe';
import {ExpertLoad} from '../training/expert_load';
import {describeEachBackend} from './backends';

describeEachBackend('ExpertLoad', () => {
  beforeAll(() => tf.env().set('IS_TEST', false));

  function moeModel(): tf.LayersModel {
    const moe = () => new DMoE({ffnHiddenSize: 4, moeNumExperts: 3, moeTopK: 2, seed: 1});
    const dense = tf.layers.dense({units: 4, inputShape: [4]});
    const model = tf.sequential({layers: [dense, moe(), moe()]});
    model.compile({optimizer: 'sgd', loss: 'meanSquaredError'});
    return model;
  }

  it('tells the tokens of each expert, layer by layer, every few steps', async () => {
    const told: [number, number[][]][] = [];
    const load = new ExpertLoad(3, 2, (step, tokens) => told.push([step, tokens]));
    const x = tf.randomNormal([35, 4]);
    const before = tf.memory().numTensors;
    const model = moeModel();
    const own = tf.memory().numTensors - before;
    await model.fit(x, x, {batchSize: 5, callbacks: [load], verbose: 0});
    expect(told.map(([step]) => step)).toEqual([3, 6, 9]);
    for (const [, tokens] of told) {
      expect(tokens.map((counts) => counts.length)).toEqual([3, 3]);
      expect(tokens.map((counts) => counts.reduce((a, b) => a + b))).toEqual([10, 10]);
    }
    expect(tf.memory().numTensors - before).toBe(own);
    model.dispose();
    x.dispose();
  });

  it('refuses a step of nothing', () => {
    expect(() => new ExpertLoad(0, 0, () => undefined)).toThrow(
      'ExpertLoad: every must be an integer of at least 1, got 0',
    );
  });
});
