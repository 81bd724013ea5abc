import * as tf from '@tensorflow/tfjs';
import {adamW} from '../src/index';
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

  test.each([4, 7])('scales the gradient of %p elements', (size) => {
    tf.tidy(() => {
      const [value, gradient, m, v] = [1, 2, 3, 4].map((seed) =>
        tf.abs(tf.tensor1d(random(size, seed))),
      );
      const options = {learningRate: 0.01, weightDecay: 0.1, step: 2};
      const scaled = adamW(value, tf.mul(gradient, 0.25), m, v, options);
      adamW(value, gradient, m, v, {...options, gradientScale: tf.scalar(0.25)}).forEach((x, i) =>
        expectClose(x, scaled[i], {tolerance: 1e-6}),
      );
    });
  });

  test.each([NaN, Infinity])('changes nothing where the scale is %p', (scale) => {
    tf.tidy(() => {
      const inputs = [1, 2, 3].map((seed) => tf.tensor1d(random(7, seed)));
      const [value, m, v] = inputs;
      const options = {
        learningRate: 0.01,
        weightDecay: 0.1,
        step: 1,
        gradientScale: tf.scalar(scale),
      };
      adamW(value, tf.fill([7], NaN), m, v, options).forEach((x, i) =>
        expectClose(x, inputs[i], {tolerance: 0}),
      );
    });
  });

  test('leaks nothing', () => {
    const x = tf.ones([5]);
    expectNoLeak(() => adamW(x, x, x, x, {learningRate: 1, step: 1}));
    x.dispose();
  });

  test.each([
    ['adamW: step must be an integer of at least 1, got 0', {step: 0}],
    ['adamW: learningRate must be a number of at least 0, got NaN', {learningRate: NaN}],
    ['adamW: weightDecay must be a number of at least 0, got -1', {weightDecay: -1}],
    ['adamW: beta1 must be in [0, 1), got 1', {beta1: 1}],
  ])('%s', (message, change) => {
    const x = tf.ones([2]);
    expect(() => adamW(x, x, x, x, {learningRate: 0.1, step: 1, ...change})).toThrow(message);
  });

  test('refuses a scale that is no scalar', () => {
    const x = tf.ones([2]);
    expect(() =>
      adamW(x, x, x, x, {learningRate: 0.1, step: 1, gradientScale: x as never}),
    ).toThrow('adamW: gradientScale must have shape [], got [2]');
  });

  test('refuses a gradient of another shape', () => {
    const x = tf.ones([2]);
    expect(() => adamW(x, tf.ones([3]), x, x, {learningRate: 0.1, step: 1})).toThrow(
      'adamW: gradient must have shape [2], got [3]',
    );
  });
});
