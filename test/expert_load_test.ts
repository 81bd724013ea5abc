import * as tf from '@tensorflow/tfjs';
import {DMoE} from '../layers/dmoe';
import {ExpertLoad, type RoutingSummary} from '../training/expert_load';
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
    const told: [number, RoutingSummary][] = [];
    const load = new ExpertLoad({
      ...{every: 3, firstStep: 2},
      onLoad: (step, routing) => told.push([step, routing]),
    });
    const x = tf.randomNormal([35, 4]);
    const before = tf.memory().numTensors;
    const model = moeModel();
    const own = tf.memory().numTensors - before;
    await model.fit(x, x, {batchSize: 5, callbacks: [load], verbose: 0});
    expect(told.map(([step]) => step)).toEqual([3, 6, 9]);
    for (const [, {tokensPerExpert: tokens, loadBalancingLoss, routerZloss}] of told) {
      // Two layers of 0.1 / 2 where the load is balanced.
      expect(loadBalancingLoss).toBeGreaterThan(0.05);
      expect(routerZloss).toBe(0);
      expect(tokens.map((counts) => counts.length)).toEqual([3, 3]);
      expect(tokens.map((counts) => counts.reduce((a, b) => a + b))).toEqual([10, 10]);
    }
    expect(tf.memory().numTensors - before).toBe(own);
    model.dispose();
    x.dispose();
  });

  it('looks at the last micro-batch of a step', async () => {
    const told: number[] = [];
    const load = new ExpertLoad({
      ...{every: 2, firstStep: 0, microBatches: 3},
      onLoad: (step, {tokensPerExpert}) =>
        told.push(
          step,
          tokensPerExpert[0].reduce((a, b) => a + b),
        ),
    });
    const x = tf.randomNormal([12, 4]);
    const model = moeModel();
    await model.fit(x, x, {batchSize: 1, callbacks: [load], verbose: 0});
    expect(told).toEqual([2, 2, 4, 2]); // One token a batch, to two experts each.
    model.dispose();
    x.dispose();
  });

  it('refuses a step of nothing', () => {
    expect(() => new ExpertLoad({every: 0, firstStep: 0, onLoad: () => undefined})).toThrow(
      'ExpertLoad: every must be an integer of at least 1, got 0',
    );
  });
});
