import * as tf from '@tensorflow/tfjs';
import {groupedMatMul} from '../src/index';
import {describeEachBackend, expectNoLeak} from './backends';
import {expectClose} from './close';
import {withValues} from './deferred';
import {random} from './random';
import {randomInts} from './routing';

// grouped_gemm's own cases: z groups of m rows, k inner, n columns; fixed, random and empty groups.
const SHAPES = [
  {z: 1, m: 128, k: 128, n: 128},
  {z: 1, m: 128, k: 256, n: 512},
  {z: 16, m: 16, k: 128, n: 128},
  {z: 8, m: 16, k: 128, n: 128},
  {z: 4, m: 32, k: 64, n: 130},
  {z: 3, m: 7, k: 33, n: 5},
  {z: 2, m: 100, k: 600, n: 19},
];

/** grouped_gemm's case of groups without rows, a 64th of it: 16384 rows, k 4096 and n 14336 there. */
const ZERO_SIZE = {
  counts: [219, 2246, 5, 8103, 1, 1117, 4693, 0].map((count) => Math.ceil(count / 64)),
  k: 4096 / 64,
  n: 14336 / 64,
};

/** The sizes of `z` groups that a total is cut into at random. */
function randomCounts(z: number, total: number): number[] {
  const cuts = randomInts(z - 1, 0, total + 1, z).sort((a, b) => a - b);
  return [...cuts, total].map((cut, i) => cut - (cuts[i - 1] ?? 0));
}

/** Compares product and gradients with those of one dense product a group. */
function expectDenseProducts(counts: number[], k: number, n: number, transposeB: boolean) {
  tf.tidy(() => {
    const z = counts.length;
    const rows = counts.reduce((x, y) => x + y, 0);
    const a = tf.tensor2d(random(rows * k, 1), [rows, k]);
    const b = tf.tensor3d(random(z * k * n, 2), transposeB ? [z, n, k] : [z, k, n]);
    const dy = tf.tensor2d(random(rows * n, 3), [rows, n]);
    const bins = binsOf(counts);
    const {value, grads} = tf.valueAndGrads((x, y) =>
      groupedMatMul(x as tf.Tensor2D, y as tf.Tensor3D, bins, {transposeB}),
    )([a, b], dy);
    const wanted = tf.valueAndGrads((x, y) =>
      expectedProduct(x as tf.Tensor2D, y as tf.Tensor3D, counts, transposeB),
    )([a, b], dy);
    expectClose(value, wanted.value);
    expectClose(grads[0], wanted.grads[0], {name: 'da'});
    expectClose(grads[1], wanted.grads[1], {name: 'db'});
  });
}

function binsOf(counts: number[]): tf.Tensor1D {
  let sum = 0;
  return tf.tensor1d(
    counts.map((count) => (sum += count)),
    'int32',
  );
}

/** The same by one dense product a group; tfjs on webgpu has none of no rows. */
function expectedProduct(a: tf.Tensor2D, b: tf.Tensor3D, counts: number[], transposeB: boolean) {
  let begin = 0;
  const groups = counts.flatMap((count, e) => {
    if (count === 0) {
      return [];
    }
    const rows = a.slice([begin, 0], [count, a.shape[1]]);
    begin += count;
    return [tf.matMul(rows, b.slice([e, 0, 0], [1, -1, -1]).squeeze([0]), false, transposeB)];
  });
  return tf.concat(groups, 0);
}

describeEachBackend('groupedMatMul', () => {
  for (const {z, m, k, n} of SHAPES) {
    const uneven = Array.from({length: z}, (_, e) => (e % 2 === 0 ? m + (z > 1 ? m - e : 0) : e));
    for (const [kind, counts] of [
      ['even', Array<number>(z).fill(m)],
      ['uneven', uneven],
      ['random', randomCounts(z, z * m)],
    ] as const) {
      for (const transposeB of [false, true]) {
        test(`${kind} groups, z ${z} m ${m} k ${k} n ${n}, transposeB ${transposeB}`, () =>
          expectDenseProducts(counts, k, n, transposeB));
      }
    }
  }

  test.each([false, true])('groups of very unequal sizes, transposeB %s', (transposeB) => {
    const {counts, k, n} = ZERO_SIZE;
    expect(counts).toEqual([4, 36, 1, 127, 1, 18, 74, 0]);
    expectDenseProducts(counts, k, n, transposeB);
  });

  test('gradients of the transposeA form', () => {
    tf.tidy(() => {
      const counts = [3, 0, 5];
      const a = tf.tensor2d(random(8 * 4, 1), [8, 4]);
      const b = tf.tensor2d(random(8 * 6, 2), [8, 6]);
      const dw = tf.tensor3d(random(3 * 4 * 6, 3), [3, 4, 6]);
      const f = (x: tf.Tensor, y: tf.Tensor) =>
        groupedMatMul(x as tf.Tensor2D, y as tf.Tensor2D, binsOf(counts), {transposeA: true});
      const dense = (x: tf.Tensor, y: tf.Tensor) =>
        tf.stack([
          tf.matMul(x.slice([0, 0], [3, 4]), y.slice([0, 0], [3, 6]), true),
          tf.zeros([4, 6]),
          tf.matMul(x.slice([3, 0], [5, 4]), y.slice([3, 0], [5, 6]), true),
        ]);
      const {value, grads} = tf.valueAndGrads(f)([a, b], dw);
      const wanted = tf.valueAndGrads(dense)([a, b], dw);
      expectClose(value, wanted.value);
      expectClose(grads[0], wanted.grads[0], {name: 'da'});
      expectClose(grads[1], wanted.grads[1], {name: 'db'});
    });
  });

  test('groups of zero size give exact products (0, 128, 0, 64 rows)', () => {
    tf.tidy(() => {
      const bins = binsOf([0, 128, 0, 64]);
      const a = tf.ones([192, 8]) as tf.Tensor2D;
      const w = groupedMatMul(a, tf.ones([192, 3]) as tf.Tensor2D, bins, {transposeA: true});
      const sums = w.reshape([4, 24]).max(1);
      withValues([sums], (sums) => expect([...sums]).toEqual([0, 128, 0, 64]));
    });
  });

  test('leaks nothing, forward and backward', () => {
    const a = tf.tensor2d(random(32, 1), [8, 4]);
    const b = tf.tensor3d(random(24, 2), [2, 4, 3]);
    const bins = binsOf([5, 3]);
    expectNoLeak(() =>
      tf.grads((x, y) => groupedMatMul(x as never, y as never, bins).sum())([a, b]),
    );
    tf.dispose([a, b, bins]);
  });
});
