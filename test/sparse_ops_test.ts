import * as tf from '@tensorflow/tfjs';
import {
  randomDenseMask,
  randomMask,
  randomSparse,
  sparseActivation,
  SparseMatrix,
  sparseMul,
  sparseOnesLike,
  sparseSum,
  SparseTopology,
  toDense,
  toSparse,
  toSparseAsync,
} from '../src/index';
import {describeEachBackend, expectNoLeak} from './backends';
import {expectClose} from './close';
import {withValues} from './deferred';
import {expectGradients} from './finite_differences';

// stk's own cases: [rows, columns, block size] with its block sizes, and its sparsities.
const SIZES = [
  [32, 64, 1],
  [64, 64, 8],
  [64, 128, 16],
  [128, 64, 32],
  [256, 128, 128],
  [15, 6, 3],
];
const CASES = SIZES.flatMap((size) =>
  [0, 0.5, 0.75, 0.8, 1].map((sparsity) => [...size, sparsity]),
);

const EXACT = {tolerance: 0};

/** [[1, 2], [3, 4]] at the block of row 1, column 0; an unused block; [[5, 6], [7, 8]] at 1, 2. */
function withUnusedBlock(): SparseMatrix {
  const topology = SparseTopology.from({
    shape: [4, 6],
    blockSize: 2,
    columnIndices: tf.tensor1d([0, -1, 2], 'int32'),
    offsets: tf.tensor1d([0, 0, 3], 'int32'),
  });
  return new SparseMatrix(
    topology,
    tf.tensor3d([1, 2, 3, 4, NaN, Infinity, -1, 9, 5, 6, 7, 8], [3, 2, 2]),
  );
}

describeEachBackend('toDense and toSparse', () => {
  test.each(CASES)(
    '%s x %s in blocks of %s, sparsity %s',
    async (rows, columns, size, sparsity) => {
      const matrix = randomSparse(rows, columns, sparsity, size, 3);
      const dense = toDense(matrix);
      const found = await toSparseAsync(dense, size);
      tf.tidy(() => {
        expect(dense.shape).toEqual([rows, columns]);
        expectClose(toSparse(dense, matrix.topology).values, matrix.values, EXACT);
        expectClose(found.values, matrix.values, EXACT);
        expectClose(found.topology.columnIndices, matrix.topology.columnIndices, EXACT);
        expectClose(found.topology.offsets, matrix.topology.offsets, EXACT);
        expectClose(toDense(found), dense, EXACT);
        expectClose(toDense(matrix.t()), tf.transpose(dense), EXACT);
      });
      tf.dispose([dense]);
      [matrix, found].forEach((x) => (x.topology.dispose(), x.dispose()));
    },
  );

  test('what lies where', () => {
    tf.tidy(() => {
      const dense = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 5, 6, 3, 4, 0, 0, 7, 8];
      expectClose(toDense(withUnusedBlock()), dense, {...EXACT, shape: [4, 6]});
    });
  });

  test('blocks outside the topology are dropped, and unused blocks are zero', () => {
    tf.tidy(() => {
      const x = tf.reshape(tf.range(1, 25), [4, 6]) as tf.Tensor2D;
      const {values} = toSparse(x, withUnusedBlock().topology);
      expectClose(values, [13, 14, 19, 20, 0, 0, 0, 0, 17, 18, 23, 24], {
        ...EXACT,
        shape: [3, 2, 2],
      });
    });
  });

  test('toSparseAsync keeps a block of NaN, and drops one of minus zero', async () => {
    const x = tf.tensor2d([NaN, -0, 0, 1e-38], [1, 4]);
    const {topology, values} = await toSparseAsync(x);
    expectClose(topology.columnIndices, [0, 3], EXACT);
    tf.dispose([x, values]);
    topology.dispose();
  });

  test('toSparseAsync leaks nothing', async () => {
    const x = tf.eye(4) as tf.Tensor2D;
    const before = tf.memory().numTensors;
    const matrix = await toSparseAsync(x, 2);
    expect(tf.memory().numTensors).toBe(before + 7);
    matrix.topology.dispose();
    matrix.dispose();
    x.dispose();
  });

  test('gradients', () => {
    tf.tidy(() => {
      const {topology} = withUnusedBlock();
      const values = tf.randomUniform([3, 2, 2], -1, 1, 'float32', 1);
      const matrix = (x: tf.Tensor) => new SparseMatrix(topology, x as tf.Tensor3D);
      expectGradients((x) => toDense(matrix(x)), [values]);
      expectGradients((x) => toDense(matrix(x).t()), [values]);
      const x = tf.randomUniform([4, 6], -1, 1, 'float32', 2);
      expectGradients((y) => toSparse(y as tf.Tensor2D, topology).values, [x]);
    });
  });

  test('leak nothing, forward and backward', () => {
    const matrix = randomSparse(8, 12, 0.5, 4, 1);
    const x = tf.ones([8, 12]) as tf.Tensor2D;
    expectNoLeak(() => {
      tf.grad((y) => toDense(new SparseMatrix(matrix.topology, y as tf.Tensor3D).t()))(
        matrix.values,
      );
      tf.grad((y) => toSparse(y as tf.Tensor2D, matrix.topology).values)(x);
    });
    const before = tf.memory().numTensors;
    toDense(matrix.t()).dispose();
    toSparse(x, matrix.topology).dispose();
    expect(tf.memory().numTensors).toBe(before);
    matrix.topology.dispose();
    tf.dispose([x, matrix.values]);
  });

  test('errors', async () => {
    const {topology, values} = withUnusedBlock();
    const x = (rows: number, columns: number, dtype: tf.DataType = 'float32') =>
      tf.ones([rows, columns], dtype) as tf.Tensor2D;
    expect(() => toDense(x(4, 6) as never)).toThrow(
      'toDense: matrix must be a SparseMatrix, got a Tensor',
    );
    expect(() => toSparse(x(4, 4), topology)).toThrow(
      'toSparse: x must have shape [4,6], got [4,4]',
    );
    expect(() => toSparse(x(4, 6, 'int32'), topology)).toThrow(
      'toSparse: x must be float32, got int32',
    );
    expect(() => toSparse(x(4, 6), 2 as never)).toThrow(
      'toSparse: topology must be a SparseTopology, got 2',
    );
    await expect(toSparseAsync(tf.ones([4]) as never)).rejects.toThrow(
      'toSparseAsync: x must have rank 2, got shape [4]',
    );
    await expect(toSparseAsync(x(4, 6, 'int32'))).rejects.toThrow(
      'toSparseAsync: x must be float32, got int32',
    );
    await expect(toSparseAsync(x(4, 6), 4)).rejects.toThrow(
      'toSparseAsync: x must be a multiple of the block size, 4, got [4,6]',
    );
    await expect(toSparseAsync(x(4, 6), 0)).rejects.toThrow(
      'toSparseAsync: blockSize must be an integer of at least 1, got 0',
    );
    const large = SparseTopology.where([65536, 65536], 65536, () => false);
    expect(() => toDense(new SparseMatrix(large, tf.zeros([0, 65536, 65536])))).toThrow(
      'toDense: the result must have at most 2147483647 elements, got shape [65536,65536]',
    );
    topology.dispose();
    values.dispose();
  });
});

describeEachBackend('elementwise ops and sums', () => {
  test.each(CASES)('%s x %s in blocks of %s, sparsity %s', (rows, columns, size, sparsity) => {
    tf.tidy(() => {
      const a = randomSparse(rows, columns, sparsity, size, 3);
      const b = new SparseMatrix(a.topology, tf.randomNormal(a.values.shape, 0, 1, 'float32', 4));
      const [denseA, denseB] = [toDense(a), toDense(b)];
      expectClose(toDense(sparseMul(a, b)), tf.mul(denseA, denseB), EXACT);
      expectClose(toDense(sparseMul(a.t(), b.t())), tf.transpose(tf.mul(denseA, denseB)), EXACT);
      const ones = toDense(sparseOnesLike(a));
      expectClose(ones, tf.cast(tf.notEqual(denseA, 0), 'float32'), EXACT);
      expectClose(toDense(sparseActivation(a.t(), tf.relu)), tf.relu(toDense(a.t())), EXACT);
      expectClose(sparseSum(sparseOnesLike(a)), [a.topology.numBlocks * size * size], EXACT);
    });
  });

  test('share the topology and keep the orientation', () => {
    tf.tidy(() => {
      const a = withUnusedBlock().t();
      for (const result of [sparseMul(a, a), sparseOnesLike(a), sparseActivation(a, tf.relu)]) {
        expect(result.topology).toBe(a.topology);
        expect(result.transposed).toBe(true);
      }
    });
  });

  test('sparseSum leaves unused blocks out, and gives them no gradient', () => {
    tf.tidy(() => {
      const {topology, values} = withUnusedBlock();
      const sum = (x: tf.Tensor) => sparseSum(new SparseMatrix(topology, x as tf.Tensor3D));
      const {value, grad} = tf.valueAndGrad(sum)(values);
      expectClose(value, [36], {...EXACT, shape: []});
      expectClose(grad, [1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1], EXACT);
    });
  });

  test('sparseSum of no block is zero, with a gradient of no block', () => {
    tf.tidy(() => {
      const {topology, values} = randomMask(8, 8, 1, 4);
      const sum = (x: tf.Tensor) => sparseSum(new SparseMatrix(topology, x as tf.Tensor3D));
      const {value, grad} = tf.valueAndGrad(sum)(values);
      expectClose(value, [0], EXACT);
      expect(grad.shape).toEqual([0, 4, 4]);
    });
  });

  test('gradients', () => {
    tf.tidy(() => {
      const {topology} = randomMask(4, 6, 0.5, 2, 1);
      const matrix = (x: tf.Tensor) => new SparseMatrix(topology, x as tf.Tensor3D);
      const [a, b] = [1, 2].map((seed) => tf.randomUniform([3, 2, 2], -1, 1, 'float32', seed));
      expectGradients((x, y) => sparseMul(matrix(x), matrix(y)).values, [a, b]);
      expectGradients((x) => sparseActivation(matrix(x), tf.tanh).values, [a]);
      expectGradients((x) => sparseSum(matrix(x)), [a]);
    });
  });

  test('leak nothing, forward and backward', () => {
    const {topology, values} = randomSparse(8, 12, 0.5, 4, 1);
    expectNoLeak(() =>
      tf.grad((x) => {
        const matrix = new SparseMatrix(topology, x as tf.Tensor3D);
        return sparseSum(sparseMul(sparseActivation(matrix, tf.relu), sparseOnesLike(matrix)));
      })(values),
    );
    const before = tf.memory().numTensors;
    sparseSum(new SparseMatrix(topology, values)).dispose();
    expect(tf.memory().numTensors).toBe(before);
    topology.dispose();
    values.dispose();
  });

  test('errors', () => {
    tf.tidy(() => {
      const matrix = randomMask(8, 12, 0.5, 4, 1);
      const dense = tf.ones([8, 12]) as never;
      expect(() => sparseMul(dense, matrix)).toThrow(
        'sparseMul: a must be a SparseMatrix, got a Tensor',
      );
      expect(() => sparseMul(matrix, dense)).toThrow(
        'sparseMul: b must be a SparseMatrix, got a Tensor',
      );
      expect(() => sparseMul(matrix, randomMask(8, 12, 0, 4))).toThrow(
        'sparseMul: b must have the topology of a, [8,12] with 3 blocks of 4, ' +
          'got [8,12] with 6 blocks of 4',
      );
      expect(() => sparseMul(matrix, matrix.t())).toThrow(
        'sparseMul: b must have the topology of a, [8,12] with 3 blocks of 4, ' +
          'got [12,8] with 3 blocks of 4, transposed',
      );
      expect(() => sparseSum(dense)).toThrow(
        'sparseSum: matrix must be a SparseMatrix, got a Tensor',
      );
      expect(() => sparseOnesLike(dense)).toThrow(
        'sparseOnesLike: matrix must be a SparseMatrix, got a Tensor',
      );
      expect(() => sparseActivation(dense, tf.relu)).toThrow(
        'sparseActivation: matrix must be a SparseMatrix, got a Tensor',
      );
      expect(() => sparseActivation(matrix, 'relu' as never)).toThrow(
        'sparseActivation: fn must be a function, got relu',
      );
      expect(() => sparseActivation(matrix, (x) => tf.sum(x))).toThrow(
        'SparseMatrix: values must have shape [3,4,4], got []',
      );
    });
  });
});

describeEachBackend('random masks', () => {
  test.each(CASES)('%s x %s in blocks of %s, sparsity %s', (rows, columns, size, sparsity) => {
    tf.tidy(() => {
      const blocks = (rows / size) * (columns / size);
      const numBlocks = Math.round(blocks * (1 - sparsity));
      const mask = randomMask(rows, columns, sparsity, size, 9);
      expect(mask.shape).toEqual([rows, columns]);
      expectClose(mask.values, new Float32Array(numBlocks * size * size).fill(1), {
        ...EXACT,
        shape: [numBlocks, size, size],
      });
      expect(randomSparse(rows, columns, sparsity, size).values.shape).toEqual(mask.values.shape);
      expectClose(randomDenseMask(rows, columns, sparsity, size, 9), toDense(mask), EXACT);
    });
  });

  test('the same seed gives the same matrix, another one another', () => {
    tf.tidy(() => {
      const of = (seed?: number) => toDense(randomSparse(32, 32, 0.5, 4, seed));
      for (const seed of [0, 1]) {
        withValues([of(seed), of(seed), of(2)], (first, again, other) => {
          expect(first).toEqual(again);
          expect(first).not.toEqual(other);
        });
      }
      withValues([of(), of()], (first, second) => expect(first).not.toEqual(second));
    });
  });

  test('every block is as likely as any other', () => {
    tf.tidy(() => {
      const draws = 400;
      const masks = Array.from({length: draws}, (_, seed) => randomDenseMask(4, 4, 0.75, 1, seed));
      // Binomial: 100 of 400, with a deviation of 8.7.
      withValues([tf.sum(tf.stack(masks), 0)], (counts) =>
        counts.forEach((count) => expect(Math.abs(count - draws / 4)).toBeLessThan(40)),
      );
    });
  });

  test('randomSparse is normally distributed', () => {
    tf.tidy(() => {
      const {mean, variance} = tf.moments(randomSparse(128, 128, 0.5, 8, 1).values);
      withValues([mean, variance], ([mean], [variance]) => {
        expect(mean).toBeCloseTo(0, 1);
        expect(variance).toBeCloseTo(1, 1);
      });
    });
  });

  test('errors', () => {
    for (const [name, f] of Object.entries({randomMask, randomDenseMask, randomSparse})) {
      expect(() => f(-4, 4, 0)).toThrow(
        `${name}: rows must be an integer from 0 to 2147483647, got -4`,
      );
      expect(() => f(4, 0.5, 0)).toThrow(
        `${name}: columns must be an integer from 0 to 2147483647, got 0.5`,
      );
      expect(() => f(4, 4, 1.5)).toThrow(`${name}: sparsity must be a number from 0 to 1, got 1.5`);
      expect(() => f(4, 4, NaN)).toThrow(`${name}: sparsity must be a number from 0 to 1, got NaN`);
      expect(() => f(4, 4, 0, 0)).toThrow(
        `${name}: blockSize must be an integer from 1 to 2147483647, got 0`,
      );
      expect(() => f(4, 4, 0, 3)).toThrow(
        `${name}: shape must be a multiple of the block size, 3, got [4,4]`,
      );
    }
  });
});
