import * as tf from '@tensorflow/tfjs';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {CheckpointCallback} from '../training/callbacks/checkpoint_callback';
import {MetricsCallback} from '../training/callbacks/metrics_callback';
import {Checkpoints} from '../training/checkpoint';
import {MetricsLog, type MetricsRecord} from '../training/metrics_log';
import {AdamWOptimizer} from '../training/optimizers/adamw';
import {RunFolder} from '../training/run_folder';
import {describeEachBackend} from './backends';
import {expectClose} from './close';
import {random} from './random';

let path: string;
beforeEach(() => (path = mkdtempSync(join(tmpdir(), 'callbacks-'))));
afterEach(() => rmSync(path, {recursive: true}));

describeEachBackend('callbacks of a plain fit', () => {
  // What tfjs' own fused matMul saves for its gradient counts as a leak of its kernel on wasm.
  beforeAll(() => tf.env().set('IS_TEST', false));

  const x = () => tf.tensor2d(random(24, 1), [8, 3]);
  const y = () => tf.tensor2d(random(8, 2), [8, 1]);
  function compiled(optimizer: tf.Optimizer, seed = 1) {
    const kernelInitializer = tf.initializers.randomNormal({seed});
    const layers = [tf.layers.dense({units: 1, inputShape: [3], kernelInitializer, name: 'dense'})];
    const model = tf.sequential({layers});
    model.compile({optimizer, loss: 'meanSquaredError'});
    return model;
  }

  it('pass the metrics of each step on, whatever its micro-batches', async () => {
    const records: MetricsRecord[] = [];
    const sinks = [{add: (record: MetricsRecord) => records.push(record)}];
    const decay = {decayStyle: 'linear', maxLearningRate: 0.1, decaySteps: 10} as const;
    const optimizer = new AdamWOptimizer({learningRate: decay, accumulationSteps: 2});
    const model = compiled(optimizer);
    const {history} = await model.fit(x(), y(), {
      ...{epochs: 2, batchSize: 2, shuffle: false, verbose: 0},
      validationData: [x(), y()],
      callbacks: [new MetricsCallback({sinks, firstStep: 7})],
    });
    expect(records.map(({step}) => step)).toEqual([8, 9, 9, 10, 11, 11]);
    const [first, second, validated] = records;
    expect(first.learningRate).toBeCloseTo(0.09, 10);
    expect(second.learningRate).toBeCloseTo(0.08, 10);
    expect((first.loss! + second.loss!) / 2).toBeCloseTo(history.loss[0] as number, 4);
    expect(validated.validationLoss).toBeCloseTo(history.val_loss[0] as number, 5);
    expect(first.gradientNorm).toBeGreaterThan(0);
  });

  it('say which steps were skipped', async () => {
    const records: MetricsRecord[] = [];
    const model = compiled(new AdamWOptimizer({learningRate: 0.1}));
    const before = model.getWeights().map((weight) => weight.clone());
    await model.fit(tf.fill([4, 3], NaN), tf.zeros([4, 1]), {
      ...{batchSize: 2, verbose: 0},
      callbacks: [new MetricsCallback({sinks: [{add: (record) => records.push(record)}]})],
    });
    expect(records.map(({skipped, loss}) => [skipped, loss])).toEqual([
      [true, undefined],
      [true, undefined],
    ]);
    model.getWeights().forEach((weight, i) => expectClose(weight, before[i], {tolerance: 0}));
  });

  it('count steps and time on from an earlier fit', async () => {
    const folder = new RunFolder(path);
    const model = compiled(new AdamWOptimizer({learningRate: 0.1}));
    const options = {epochs: 1, batchSize: 4, shuffle: false, verbose: 0} as const;
    for (const firstStep of [0, 2]) {
      const log = MetricsLog.open(folder, firstStep);
      const {seconds: firstSeconds} = log;
      const callbacks = [new MetricsCallback({sinks: [log], firstStep, firstSeconds})];
      await model.fit(x(), y(), {...options, callbacks});
    }
    const records = MetricsLog.read(folder);
    expect(records.map(({step}) => step)).toEqual([1, 2, 3, 4]);
    const times = records.map(({seconds}) => seconds);
    expect([...times].sort((a, b) => a - b)).toEqual(times);
    expect(times[2]).toBeGreaterThan(times[1]);
  });

  it('save every few batches and at the end, from where training goes on', async () => {
    const checkpoints = () => new Checkpoints({storage: new RunFolder(path), config: {units: 1}});
    const fit = (model: tf.LayersModel, firstStep: number) =>
      model.fit(x(), y(), {
        ...{epochs: 1, batchSize: 2, shuffle: false, verbose: 0},
        callbacks: [new CheckpointCallback({checkpoints: checkpoints(), every: 3, firstStep})],
      });
    const model = compiled(new AdamWOptimizer({learningRate: 0.1}));
    await fit(model, 0);
    expect(checkpoints().steps()).toEqual([3, 4]);
    const other = compiled(new AdamWOptimizer({learningRate: 0.1}), 2);
    const state = await checkpoints().restore(other);
    expect(state!.step).toBe(4);
    expect((await fit(other, 4)).history.loss).toEqual((await fit(model, 4)).history.loss);
    expect(checkpoints().steps()).toEqual([6, 8]);
  });

  it('refuse what they cannot serve', async () => {
    const model = compiled(tf.train.sgd(0.1));
    const callbacks = [new MetricsCallback({sinks: []})];
    await expect(model.fit(x(), y(), {verbose: 0, callbacks})).rejects.toThrow(
      'MetricsCallback: optimizer must be an AdamWOptimizer or AdafactorOptimizer, got SGD',
    );
    const checkpoints = new Checkpoints({storage: new RunFolder(path), config: {}});
    expect(() => new CheckpointCallback({checkpoints, every: 0})).toThrow(
      'CheckpointCallback: every must be an integer of at least 1, got 0',
    );
  });
});
