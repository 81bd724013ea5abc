import * as tf from '@tensorflow/tfjs';
import {stopGradient, topK} from '../src/index';
import {describeEachBackend, expectNoLeak} from './backends';
import {expectClose} from './close';
import {expectGradients} from './finite_differences';
import {random} from './random';

describeEachBackend('topK', () => {
  test.each([
    [1, 1, 1],
    [50, 8, 1],
    [50, 8, 2],
    [50, 64, 6],
    [10, 128, 128],
    [0, 8, 2],
  ])('%d rows of %d columns, the %d largest', (rows, columns, k) => {
    tf.tidy(() => {
      // Few different values, so that many are equal.
      const x = random(rows * columns, k).map((value) => Math.round(value * 8));
      const wanted = Array.from({length: rows}, (_, row) => {
        const values = x.subarray(row * columns, (row + 1) * columns);
        return Array.from(values.keys())
          .sort((i, j) => values[j] - values[i] || i - j)
          .slice(0, k);
      });
      const {values, indices} = topK(tf.tensor2d(x, [rows, columns]), k);
      expect(indices.dtype).toBe('int32');
      expectClose(indices, wanted.flat(), {tolerance: 0, shape: [rows, k]});
      const largest = wanted.flatMap((order, row) => order.map((i) => x[row * columns + i]));
      expectClose(values, largest, {tolerance: 0, shape: [rows, k]});
    });
  });

  test('NaN comes first, and every row still gets different columns', () => {
    tf.tidy(() => {
      const x = tf.tensor2d([
        [1, NaN, 3, 2],
        [NaN, NaN, NaN, NaN],
        [Infinity, 0, NaN, -Infinity],
        [NaN, 5, NaN, 6],
      ]);
      const {values, indices} = topK(x, 3);
      expectClose(indices, [1, 2, 3, 0, 1, 2, 2, 0, 1, 0, 2, 3], {tolerance: 0, shape: [4, 3]});
      const largest = [NaN, 3, 2, NaN, NaN, NaN, NaN, Infinity, 0, NaN, NaN, 6];
      expectClose(values, largest, {tolerance: 0, shape: [4, 3]});
    });
  });

  test('zero and minus zero are equal', () => {
    tf.tidy(() => {
      const {indices} = topK(tf.tensor2d([[-1, -0, 0, -0]]), 3);
      expectClose(indices, [1, 2, 3], {tolerance: 0, shape: [1, 3]});
    });
  });

  test('the gradient of the values agrees with finite differences', () => {
    tf.tidy(() => {
      // Far enough apart for the steps not to change the order.
      const x = tf.tensor2d([
        [1, 3, 2, 0],
        [-4, 5, 6, 1],
        [9, 7, 8, -2],
      ]);
      for (const k of [1, 2, 4]) {
        expectGradients((t) => topK(t as tf.Tensor2D, k).values, [x]);
      }
    });
  });

  test('the gradient of the gradient agrees with finite differences', () => {
    tf.tidy(() => {
      const x = tf.tensor2d([
        [1, 3, 2],
        [5, -4, 6],
      ]);
      const cubes = (t: tf.Tensor) => tf.pow(topK(t as tf.Tensor2D, 2).values, 3);
      expectGradients(tf.grad(cubes), [x]);
    });
  });

  test('a row that goes unselected has no gradient', () => {
    tf.tidy(() => {
      const x = tf.tensor2d([[1, 3, 2]]);
      expectClose(tf.grad((t) => topK(t as tf.Tensor2D, 2).values)(x), [0, 1, 1], {shape: [1, 3]});
    });
  });

  test('the indices are cut from the tape', () => {
    tf.tidy(() => {
      const x = tf.tensor2d([[1, 3, 2]]);
      // Were they on it, their gradient would be asked for, which does not exist.
      const f = (t: tf.Tensor) => {
        const {values, indices} = topK(t as tf.Tensor2D, 2);
        return tf.mul(values, tf.cast(indices, 'float32'));
      };
      expectClose(tf.grad(f)(x), [0, 1, 2], {shape: [1, 3]});
    });
  });

  test('leaves nothing behind', () => {
    tf.tidy(() => {
      const x = tf.tensor2d([[1, 3, 2]]);
      expectNoLeak(() => void topK(x, 2));
      expectNoLeak(() => void tf.grad((t) => topK(t as tf.Tensor2D, 2).values)(x));
    });
    // Nor does it lean on a tidy around it.
    const x = tf.tensor2d([[1, 3, 2]]);
    const before = {...tf.memory(), ids: tf.backend().numDataIds()};
    const {values, indices} = topK(x, 2);
    expect(tf.memory().numTensors).toBe(before.numTensors + 2);
    tf.dispose([values, indices]);
    expect(tf.memory().numTensors).toBe(before.numTensors);
    expect(tf.backend().numDataIds()).toBe(before.ids);
    expectClose(x, [1, 3, 2], {tolerance: 0, shape: [1, 3]});
    x.dispose();
  });
});

describeEachBackend('stopGradient', (backendName) => {
  test('is the same tensor, of any dtype', () => {
    tf.tidy(() => {
      for (const x of [
        tf.tensor2d([[1, 2.5]]),
        tf.tensor1d([1, 2], 'int32'),
        tf.tensor1d([true, false], 'bool'),
        tf.zeros([0, 3]),
        tf.scalar(3),
      ]) {
        const y = stopGradient(x);
        expect(y.dtype).toBe(x.dtype);
        expect(y.shape).toEqual(x.shape);
        expectClose(y, x, {tolerance: 0});
      }
    });
  });

  test('lets no gradient through', () => {
    tf.tidy(() => {
      const x = tf.tensor1d([2, 3]);
      expectClose(tf.grad((t) => tf.mul(t, stopGradient(t)))(x), [2, 3]);
      expect(() => tf.grad((t) => stopGradient(t))(x)).toThrow('Cannot compute gradient');
    });
  });

  test('lets a variable be', () => {
    tf.tidy(() => {
      const v = tf.variable(tf.scalar(2));
      const w = tf.variable(tf.scalar(5));
      const {grads} = tf.variableGrads(() => tf.mul(stopGradient(v), w) as tf.Scalar, [w]);
      expectClose(grads[w.name], [2]);
      v.dispose();
      w.dispose();
    });
  });

  test('either can be disposed first, and neither leaks', async () => {
    for (const first of ['original', 'result']) {
      const before = {...tf.memory(), ids: tf.backend().numDataIds()};
      const x = tf.tensor1d([1, 2]);
      const y = stopGradient(x);
      const [gone, kept] = first === 'original' ? [x, y] : [y, x];
      gone.dispose();
      expect([...(await kept.data())]).toEqual([1, 2]);
      kept.dispose();
      expect(tf.memory().numTensors).toBe(before.numTensors);
      expect(tf.memory().numDataBuffers).toBe(before.numDataBuffers);
      expect(tf.backend().numDataIds()).toBe(before.ids);
    }
  });

  test('takes a tensor that lies on another backend', async () => {
    const other = backendName === 'cpu' ? 'wasm' : 'cpu';
    await tf.setBackend(other);
    const x = tf.tensor1d([1, 2]);
    await tf.setBackend(backendName);
    const y = stopGradient(x);
    x.dispose();
    expectClose(tf.add(y, 1), [2, 3]);
    y.dispose();
  });

  test('of something else is an error', () => {
    expect(() => stopGradient(3 as unknown as tf.Tensor)).toThrow(
      'stopGradient: t must be a tensor, got 3',
    );
  });
});
