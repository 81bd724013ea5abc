import * as tf from '@tensorflow/tfjs';
import {useFastMatMul} from '../src/index';
import './backends';
import {expectClose} from './close';
import {random} from './random';

// Each product on the fast kernel of wasm against tfjs' own on cpu.

const SHAPES: [number[], number[]][] = [
  [
    [1, 1],
    [1, 1],
  ],
  [
    [4, 8],
    [8, 8],
  ],
  [
    [5, 3],
    [3, 7],
  ],
  [
    [97, 300],
    [300, 513],
  ],
  [
    [2, 3, 4],
    [2, 4, 5],
  ],
  [
    [2, 3, 4],
    [1, 4, 5],
  ],
  [
    [2, 3, 2, 4],
    [2, 3, 4, 3],
  ],
];

const swap = (shape: number[]) => [...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!];

async function on<T>(backendName: string, f: () => T | Promise<T>): Promise<T> {
  await tf.setBackend(backendName);
  return f();
}

beforeAll(async () => {
  await tf.setBackend('wasm');
  expect(useFastMatMul()).toBe(true);
  expect(useFastMatMul()).toBe(true);
});

describe.each([
  [false, false],
  [true, false],
  [false, true],
  [true, true],
])('matMul with transposeA %p, transposeB %p', (transposeA, transposeB) => {
  test.each(SHAPES)('[%p] times [%p]', async (a, b) => {
    const [aShape, bShape] = [transposeA ? swap(a) : a, transposeB ? swap(b) : b];
    const product = () => {
      const x = tf.tensor(random(tf.util.sizeFromShape(a), 1), aShape);
      const y = tf.tensor(random(tf.util.sizeFromShape(b), 2), bShape);
      return tf.matMul(x, y, transposeA, transposeB).data();
    };
    const wanted = await on('cpu', product);
    const got = await on('wasm', product);
    expectClose(tf.tensor1d(got), wanted);
  });
});

test.each(['linear', 'relu', 'relu6', 'elu', 'sigmoid', 'leakyrelu', 'prelu'] as const)(
  'fused matMul with bias and %s',
  async (activation) => {
    const product = () =>
      tf.fused
        .matMul({
          a: tf.tensor2d(random(35, 1), [5, 7]),
          b: tf.tensor2d(random(77, 2), [7, 11]),
          bias: tf.tensor1d(random(11, 3)),
          activation,
          preluActivationWeights: activation === 'prelu' ? tf.scalar(0.25) : undefined,
          leakyreluAlpha: 0.1,
        })
        .data();
    const wanted = await on('cpu', product);
    const got = await on('wasm', product);
    expectClose(tf.tensor1d(got), wanted);
  },
);

test('leading axes broadcast both ways (tfjs on cpu gives too few matrices)', async () => {
  await tf.setBackend('wasm');
  tf.tidy(() => {
    const x = tf.tensor4d(random(24, 1), [3, 1, 2, 4]);
    const y = tf.tensor4d(random(24, 2), [1, 2, 4, 3]);
    const wanted = tf.matMul(tf.tile(x, [1, 2, 1, 1]), tf.tile(y, [3, 1, 1, 1]));
    expectClose(tf.matMul(x, y), wanted, {tolerance: 0});
  });
});

test('inner sizes that differ are refused', async () => {
  await tf.setBackend('wasm');
  expect(() => tf.matMul(tf.zeros([2, 3]), tf.zeros([4, 2]))).toThrow(/inner/);
});

test('a dense layer trains, and nothing leaks', async () => {
  await tf.setBackend('wasm');
  const model = tf.sequential({layers: [tf.layers.dense({units: 3, inputShape: [4]})]});
  model.compile({optimizer: 'sgd', loss: 'meanSquaredError'});
  const [x, y] = [tf.tensor2d(random(40, 1), [10, 4]), tf.tensor2d(random(30, 2), [10, 3])];
  await model.fit(x, y, {epochs: 1, verbose: 0});
  const before = tf.memory().numTensors;
  const {history} = await model.fit(x, y, {epochs: 5, verbose: 0});
  expect(tf.memory().numTensors).toBe(before);
  expect(history.loss[4]).toBeLessThan(history.loss[0] as number);
});

test('a clone shares its data until both are disposed', async () => {
  await tf.setBackend('wasm');
  const before = tf.backend().numDataIds();
  const x = tf.tensor1d([1, 2, 3]);
  const y = tf.clone(x);
  expect(tf.backend().numDataIds()).toBe(before + 1);
  x.dispose();
  expect([...(await y.data())]).toEqual([1, 2, 3]);
  y.dispose();
  expect(tf.backend().numDataIds()).toBe(before);
});

test('a variable keeps its value when the tensor that it came from changes hands', async () => {
  await tf.setBackend('wasm');
  const x = tf.tensor1d([1, 2]);
  const variable = tf.variable(x);
  const clone = tf.clone(variable);
  variable.assign(tf.tensor1d([3, 4]));
  x.dispose();
  expect([...(await clone.data())]).toEqual([1, 2]);
  expect([...(await variable.data())]).toEqual([3, 4]);
  tf.dispose([clone, variable]);
});

test('a backend without a faster product is left as it is', async () => {
  expect(await on('cpu', useFastMatMul)).toBe(false);
});
