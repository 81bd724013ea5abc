import * as tf from '@tensorflow/tfjs';
import {layers, RouterStats, type RouterStatsEntry} from '../src/index';
import type {MoEArguments} from '../layers/arguments';
import {ExpertLoad} from '../training/expert_load';
import {describeEachBackend} from './backends';

const H = 8;
const E = 4;
const CONFIG: MoEArguments = {ffnHiddenSize: 8, moeNumExperts: E, moeTopK: 2, seed: 1};

/** A model of a dMoE and, within a model of its own, a capacity MoE. */
function buildModel(): tf.LayersModel {
  const inner = tf.input({shape: [H]});
  const capacity = layers.moe({
    ...CONFIG,
    name: 'capacity',
    moeZlossWeight: 0.01,
    moeLossWeight: 0,
  });
  const block = tf.model({inputs: inner, outputs: capacity.apply(inner) as tf.SymbolicTensor});
  return tf.sequential({
    layers: [layers.dMoE({...CONFIG, name: 'dropless', inputShape: [H]}), block],
  });
}

const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);

describeEachBackend('RouterStats', () => {
  test('gives one entry a layer and batch', async () => {
    const model = buildModel();
    const x = tf.randomUniform([10, H], -1, 1, 'float32', 1);
    model.compile({optimizer: tf.train.sgd(0), loss: 'meanSquaredError'});
    const entries: RouterStatsEntry[] = [];
    const stats = new RouterStats({onEntry: (entry) => entries.push(entry)});
    await model.fit(x, x, {
      epochs: 2,
      batchSize: 6,
      verbose: 0,
      shuffle: false,
      callbacks: [stats],
    });

    expect(stats.history).toEqual(entries);
    expect(entries.map(({epoch, batch, layer}) => [epoch, batch, layer])).toEqual(
      [0, 1].flatMap((epoch) =>
        [0, 1].flatMap((batch) => [
          [epoch, batch, 'dropless'],
          [epoch, batch, 'capacity'],
        ]),
      ),
    );
    for (const entry of entries) {
      const tokens = entry.batch === 0 ? 6 : 4;
      expect(entry.tokensPerExpert).toHaveLength(E);
      expect(sum(entry.tokensPerExpert)).toBe(tokens * 2);
      expect(entry.minTokens).toBe(Math.min(...entry.tokensPerExpert));
      expect(entry.maxTokens).toBe(Math.max(...entry.tokensPerExpert));
      const mean = (tokens * 2) / E;
      const variance = sum(entry.tokensPerExpert.map((n) => (n - mean) ** 2)) / E;
      expect(entry.stdTokens).toBeCloseTo(Math.sqrt(variance), 6);
      // The weights are small, so the router is nearly undecided.
      expect(entry.routerEntropy).toBeGreaterThan(0.9 * Math.log(E));
      expect(entry.routerEntropy).toBeLessThanOrEqual(Math.log(E) + 1e-6);
      const isCapacity = entry.layer === 'capacity';
      const capacity = isCapacity ? Math.trunc((2 * tokens) / E) : Infinity;
      const dropped = sum(entry.tokensPerExpert.map((n) => Math.max(0, n - capacity)));
      expect(entry.droppedTokens).toBe(dropped);
      expect(entry.loadBalancingLoss > 0).toBe(!isCapacity);
      expect(entry.routerZloss > 0).toBe(isCapacity);
    }
    expect(entries.some(({droppedTokens}) => droppedTokens > 0)).toBe(true);
    model.dispose();
    x.dispose();
  });

  test('sees every batch beside others that look at routing', async () => {
    const model = buildModel();
    const x = tf.randomUniform([8, H], -1, 1, 'float32', 1);
    model.compile({optimizer: tf.train.sgd(0), loss: 'meanSquaredError'});
    const [first, second] = [new RouterStats(), new RouterStats()];
    const looks: number[] = [];
    const load = new ExpertLoad({every: 2, firstStep: 0, onLoad: (step) => looks.push(step)});
    const callbacks = [first, load, second];
    await model.fit(x, x, {epochs: 1, batchSize: 2, verbose: 0, shuffle: false, callbacks});
    expect(first.history).toHaveLength(8);
    expect(second.history).toEqual(first.history);
    expect(looks).toEqual([2, 4]);
    model.dispose();
    x.dispose();
  });

  test('leaves nothing behind, and nothing to do to a run without it', async () => {
    const model = buildModel();
    const x = tf.randomUniform([8, H], -1, 1, 'float32', 1);
    model.compile({optimizer: tf.train.sgd(0.1), loss: 'meanSquaredError'});
    const numKernels = async (callbacks: tf.Callback[]) => {
      const {kernels} = await tf.profile(async () => {
        await model.fit(x, x, {epochs: 2, batchSize: 4, verbose: 0, callbacks});
        return {};
      });
      return kernels.length;
    };
    const before = await numKernels([]);
    const {numTensors} = tf.memory();
    expect(await numKernels([new RouterStats()])).toBeGreaterThan(before);
    expect(await numKernels([])).toBe(before);
    expect(tf.memory().numTensors).toBe(numTensors);
    model.dispose();
    x.dispose();
  });

  test('keeps one pass at most of a run that fails', async () => {
    const x = tf.randomUniform([8, H], -1, 1, 'float32', 1);
    // tfjs itself leaks what a failed pass has saved; the callback must add nothing to that.
    const growth = async (callbacks: tf.Callback[]) => {
      const model = buildModel();
      model.compile({
        optimizer: tf.train.sgd(0.1),
        loss: () => {
          throw new Error('no loss today');
        },
      });
      const fit = () =>
        expect(model.fit(x, x, {epochs: 1, verbose: 0, callbacks})).rejects.toThrow(
          'no loss today',
        );
      await fit();
      const {numTensors} = tf.memory();
      await fit();
      return tf.memory().numTensors - numTensors;
    };
    const stats = new RouterStats();
    expect(await growth([stats])).toBe(await growth([]));
    expect(stats.history).toEqual([]);
    await stats.onTrainEnd();
    x.dispose();
  });
});
