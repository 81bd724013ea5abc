import * as tf from '@tensorflow/tfjs';
import {useFastMatMul} from '../src/index';
import {describeEachBackend} from './backends';
import {expectClose} from './close';
import {random} from './random';

// The kernels that `useFastMatMul` replaces besides the products: sums over the leading axes, as biases'
// gradients are, and over short last ones, and transpositions that move nothing. Whatever else they are
// asked for is tfjs' own.

/** The sums over some axes, element by element. */
function sums(values: Float32Array, shape: number[], axes: number[]): number[] {
  const kept = shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const result = new Array<number>(kept.reduce((size, axis) => size * shape[axis], 1)).fill(0);
  values.forEach((value, i) => {
    const position: number[] = [];
    for (let axis = shape.length - 1, rest = i; axis >= 0; axis--) {
      position[axis] = rest % shape[axis];
      rest = Math.floor(rest / shape[axis]);
    }
    result[kept.reduce((at, axis) => at * shape[axis] + position[axis], 0)] += value;
  });
  return result;
}

describeEachBackend('with useFastMatMul', (backendName) => {
  beforeAll(() => {
    useFastMatMul();
  });

  test.each([
    {shape: [1, 1], axes: [0]},
    {shape: [37, 5], axes: [0]},
    {shape: [300, 260], axes: [0]},
    {shape: [2, 9, 12], axes: [0, 1]},
    {shape: [2, 9, 12], axes: [1, 0]},
    {shape: [2, 9, 12], axes: [0]},
    {shape: [2, 9, 12], axes: [-1]},
    {shape: [2, 9, 12], axes: [1]},
    {shape: [70, 32], axes: [1]},
    {shape: [33, 7], axes: [1]},
    {shape: [5, 256], axes: [1]},
    {shape: [5, 260], axes: [1]},
    {shape: [3, 5, 8], axes: [2, 1]},
    {shape: [2, 9, 12], axes: [0, 2]},
    {shape: [3, 4], axes: [0, 1]},
  ])('tf.sum of $shape over $axes', ({shape, axes}) => {
    const values = random(tf.util.sizeFromShape(shape), 1);
    const positive = axes.map((axis) => (axis + shape.length) % shape.length);
    const wanted = sums(values, shape, positive);
    const x = tf.tensor(values, shape);
    const y = tf.sum(x, axes);
    expectClose(y, wanted);
    const kept = tf.sum(x, axes, true);
    expect(kept.shape).toEqual(shape.map((size, axis) => (positive.includes(axis) ? 1 : size)));
    expectClose(kept, wanted);
  });

  test('tf.sum of int32 and of booleans', () => {
    const x = tf.tensor2d([1, 2, 3, 4, 5, 6], [3, 2], 'int32');
    expect(tf.sum(x, 0).dtype).toBe('int32');
    expectClose(tf.sum(x, 0), [9, 12]);
    expectClose(tf.sum(tf.tensor2d([true, false, true, true], [2, 2], 'bool'), 0), [2, 1]);
  });

  // On other backends this is tfjs' own, which leaves the result as the memory was on wasm.
  if (backendName === 'webgpu') {
    test('tf.sum of no rows', () => {
      expectClose(tf.sum(tf.zeros([0, 3]), 0), [0, 0, 0]);
    });
  }

  test('tf.transpose that moves nothing, and one that does', () => {
    const x = tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3]);
    const same = tf.transpose(x, [0, 1]);
    const turned = tf.transpose(x);
    expectClose(turned, [1, 4, 2, 5, 3, 6]);
    x.dispose();
    expectClose(same, [1, 2, 3, 4, 5, 6]);
  });
});
