import * as tf from '@tensorflow/tfjs';
import {adamW} from '../src/index';
import {AdamWOptimizer} from '../training/adamw';
import {describeEachBackend, expectNoLeak} from './backends';
import {expectClose} from './close';
import {random} from './random';

/** AdamW by its definition, in double precision. */
class Reference {
  private readonly m: number[];
  private readonly v: number[];
  private step = 0;
  constructor(readonly value: number[]) {
    this.m = value.map(() => 0);
    this.v = value.map(() => 0);
  }
  update(gradient: ArrayLike<number>, learningRate: number, weightDecay: number) {
    this.step++;
    this.value.forEach((_, i) => {
      this.value[i] -= learningRate * weightDecay * this.value[i];
      this.m[i] = 0.9 * this.m[i] + 0.1 * gradient[i];
      this.v[i] = 0.999 * this.v[i] + 0.001 * gradient[i] ** 2;
      const mean = this.m[i] / (1 - 0.9 ** this.step);
      const deviation = Math.sqrt(this.v[i] / (1 - 0.999 ** this.step));
      this.value[i] -= (learningRate * mean) / (deviation + 1e-8);
    });
  }
}

describeEachBackend('adamW', () => {
  test.each([1, 4, 7, 130])('ten steps on %p elements', (size) => {
    tf.tidy(() => {
      const reference = new Reference([...random(size, 1)]);
      let [value, m, v] = [tf.tensor1d(reference.value), tf.zeros([size]), tf.zeros([size])];
      for (let step = 1; step <= 10; step++) {
        const gradient = random(size, 1 + step);
        const options = {learningRate: 0.01 * step, weightDecay: 0.1, step};
        [value, m, v] = adamW(value, tf.tensor1d(gradient), m, v, options) as tf.Tensor1D[];
        reference.update(gradient, 0.01 * step, 0.1);
      }
      expectClose(value, reference.value, {tolerance: 1e-5});
    });
  });

  test('leaks nothing', () => {
    const x = tf.ones([5]);
    expectNoLeak(() => adamW(x, x, x, x, {learningRate: 1, step: 1}));
    x.dispose();
  });

  test.each([
    [{step: 0}, 'adamW: step must be an integer of at least 1, got 0'],
    [{learningRate: NaN}, 'adamW: learningRate must be a number of at least 0, got NaN'],
    [{weightDecay: -1}, 'adamW: weightDecay must be a number of at least 0, got -1'],
    [{beta1: 1}, 'adamW: beta1 must be in [0, 1), got 1'],
  ])('refuses %p', (change, message) => {
    const x = tf.ones([2]);
    expect(() => adamW(x, x, x, x, {learningRate: 0.1, step: 1, ...change})).toThrow(message);
  });

  test('refuses a gradient of another shape', () => {
    const x = tf.ones([2]);
    expect(() => adamW(x, tf.ones([3]), x, x, {learningRate: 0.1, step: 1})).toThrow(
      'adamW: gradient must have shape [2], got [3]',
    );
  });
});

describeEachBackend('AdamWOptimizer', () => {
  // What tfjs' own fused matMul saves for its gradient counts as a leak of its kernel on wasm.
  beforeAll(() => tf.env().set('IS_TEST', false));

  function compiled(optimizer: tf.Optimizer) {
    const model = tf.sequential({
      layers: [
        tf.layers.dense({
          units: 4,
          inputShape: [3],
          kernelInitializer: tf.initializers.randomNormal({seed: 1}),
        }),
        tf.layers.dense({units: 1, kernelInitializer: tf.initializers.randomNormal({seed: 2})}),
      ],
    });
    model.compile({optimizer, loss: 'meanSquaredError'});
    return model;
  }
  const data = () => [tf.tensor2d(random(30, 1), [10, 3]), tf.tensor2d(random(10, 2), [10, 1])];

  test('without decay it is tf.train.adam', async () => {
    const [x, y] = data();
    const losses = await Promise.all(
      [new AdamWOptimizer({learningRate: 0.01}), tf.train.adam(0.01, 0.9, 0.999, 1e-8)].map(
        async (optimizer) =>
          (await compiled(optimizer).fit(x, y, {epochs: 20, shuffle: false, verbose: 0})).history
            .loss,
      ),
    );
    expectClose(tf.tensor1d(losses[0] as number[]), losses[1] as number[], {tolerance: 1e-5});
  });

  test('decay shrinks matrices and leaves biases', () => {
    const matrix = tf.variable(tf.ones([2, 2]), true, 'decay_matrix');
    const bias = tf.variable(tf.ones([2]), true, 'decay_bias');
    const table = tf.variable(tf.ones([2, 2]), true, 'decay/embeddings');
    const optimizer = new AdamWOptimizer({learningRate: 0.1, weightDecay: 0.5});
    optimizer.applyGradients(
      [matrix, bias, table].map(({name, shape}) => ({name, tensor: tf.zeros(shape)})),
    );
    expectClose(matrix, [0.95, 0.95, 0.95, 0.95]);
    expectClose(bias, [1, 1]);
    expectClose(table, [1, 1, 1, 1]);
    tf.dispose([matrix, bias, table]);
  });

  test('restored from its state, it takes the very same steps', async () => {
    const [x, y] = data();
    const whole = compiled(new AdamWOptimizer({learningRate: 0.01, weightDecay: 0.1}));
    await whole.fit(x, y, {epochs: 5, shuffle: false, verbose: 0});
    const half = compiled(new AdamWOptimizer({learningRate: 0.01, weightDecay: 0.1}));
    half.setWeights(whole.getWeights());
    await half.optimizer.setWeights(await whole.optimizer.getWeights());
    const losses = [];
    for (const model of [whole, half]) {
      losses.push((await model.fit(x, y, {epochs: 5, shuffle: false, verbose: 0})).history.loss);
    }
    expect(losses[1]).toEqual(losses[0]);
  });

  test('its configuration makes the same optimizer', () => {
    const config = new AdamWOptimizer({
      learningRate: 0.02,
      beta2: 0.95,
      weightDecay: 0.3,
    }).getConfig();
    const copy = AdamWOptimizer.fromConfig(AdamWOptimizer as never, config) as AdamWOptimizer;
    expect(copy.getConfig()).toEqual(config);
  });
});
