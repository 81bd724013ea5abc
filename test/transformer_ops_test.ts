import * as tf from '@tensorflow/tfjs';
import {
  activation,
  causalAttention,
  embedding,
  layerNorm,
  softmax,
  sparseSoftmaxCrossEntropy,
  sparseSoftmaxCrossEntropyLoss,
} from '../src/index';
import {type ActivationName, ACTIVATION_NAMES} from '../src/kernel_names';
import {describeEachBackend, expectNoLeak} from './backends';
import {expectClose} from './close';
import {withValues} from './deferred';
import {random} from './random';
import {exponentialTolerance} from './settings';

// Each fused op against the composition of tfjs' own ops that it replaces, forward and backward.

type F = (...x: tf.Tensor[]) => tf.Tensor;

/** @param magnitude What the tolerance of gradients is relative to at least. */
function expectSame(fused: F, composed: F, inputs: tf.Tensor[], tolerance = 2e-5, magnitude = 0) {
  tf.tidy(() => {
    const dy = tf.tidy(() => {
      const {shape, size} = composed(...inputs);
      return tf.tensor(random(size, 99), shape);
    });
    const got = tf.valueAndGrads(fused)(inputs, dy);
    const wanted = tf.valueAndGrads(composed)(inputs, dy);
    expectClose(got.value, wanted.value, {tolerance, name: 'y'});
    wanted.grads.forEach((grad, i) => {
      expectClose(got.grads[i], grad, {tolerance, magnitude, name: `gradient of input ${i}`});
    });
  });
}

const COMPOSED: Record<ActivationName, F> = {
  gelu_new: (x) => {
    const inner = tf.mul(
      Math.sqrt(2 / Math.PI),
      tf.add(x, tf.mul(0.044715, tf.mul(x, tf.square(x)))),
    );
    return tf.mul(tf.mul(0.5, x), tf.add(1, tf.tanh(inner)));
  },
  gelu: (x) => tf.mul(tf.mul(0.5, x), tf.add(1, tf.erf(tf.mul(x, Math.SQRT1_2)))),
  silu: (x) => tf.mul(x, tf.sigmoid(x)),
  relu: (x) => tf.relu(x),
};

/** Causal attention by matMul, mask and softmax. */
function composedAttention(qkv: tf.Tensor, numHeads: number): tf.Tensor {
  const [batch, length, width] = qkv.shape;
  const hiddenSize = width / 3;
  const [q, k, v] = tf
    .split(qkv, 3, -1)
    .map((x) =>
      tf.transpose(tf.reshape(x, [batch, length, numHeads, hiddenSize / numHeads]), [0, 2, 1, 3]),
    );
  const scores = tf.div(tf.matMul(q, k, false, true), Math.sqrt(hiddenSize / numHeads));
  const mask = tf.linalg.bandPart(tf.ones([length, length]), -1, 0);
  const masked = tf.sub(tf.mul(scores, mask), tf.mul(1e9, tf.sub(1, mask)));
  const y = tf.matMul(tf.softmax(masked), v);
  return tf.reshape(tf.transpose(y, [0, 2, 1, 3]), [batch, length, hiddenSize]);
}

describeEachBackend('fused ops', (backendName) => {
  describe.each(ACTIVATION_NAMES.map((name) => ({name})))('activation $name', ({name}) => {
    test.each([[1], [7], [4, 33]])('size %p', (...shape) => {
      const size = shape.reduce((a, b) => a * b);
      const x = tf.tensor(
        random(size, 1).map((v) => 6 * v),
        shape,
      );
      expectSame((v) => activation(v, name), COMPOSED[name], [x], 1e-5);
    });

    test('extreme values: zero or x far out, NaN stays NaN', () => {
      const x = tf.tensor1d([-1e38, -30, 0, 30, 100, 1e30, NaN]);
      withValues([activation(x, name)], (y) => {
        expect(Math.abs(y[0])).toBeLessThan(1e-5);
        expect(Math.abs(y[1])).toBeLessThan(1e-5);
        expect(y[2]).toBe(0);
        expect(y[3]).toBeCloseTo(30, 4);
        expect(y[4]).toBeCloseTo(100, 3);
        expect(y[5] / 1e30).toBeCloseTo(1, 5);
        expect(y[6]).toBeNaN();
      });
    });

    test('extreme values: the slope is zero or one far out, NaN where x is', () => {
      // Of what float32 cannot square, the derivative of gelu_new is NaN in C++.
      const far = backendName === 'tensorflow' && name === 'gelu_new' ? 1e18 : 1e38;
      const x = tf.tensor1d([-far, -1e12, -100, 100, 1e12, far, NaN]);
      withValues([tf.grad((v) => activation(v, name))(x)], (dx) => {
        for (const [i, slope] of [0, 0, 0, 1, 1, 1].entries()) {
          expect(Math.abs(dx[i] - slope)).toBeLessThan(1e-5);
        }
        expect(Number.isNaN(dx[6])).toBe(name !== 'relu');
      });
    });
  });

  test.each([
    [1, 1],
    [3, 5],
    [6, 32],
    [2, 130],
  ])('layerNorm of [%p, %p]', (rows, size) => {
    const composed: F = (x, gamma, beta) => {
      const {mean, variance} = tf.moments(x, -1, true);
      const normal = tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 1e-5)));
      return tf.add(tf.mul(normal, gamma), beta);
    };
    const inputs = [
      tf.tensor2d(random(rows * size, 1), [rows, size]),
      tf.tensor1d(random(size, 2)),
      tf.tensor1d(random(size, 3)),
    ];
    expectSame(
      (x, g, b) => layerNorm(x, g as tf.Tensor1D, b as tf.Tensor1D),
      composed,
      inputs,
      1e-4,
      // One element has no gradient: what is left of it is rounding.
      size === 1 ? 1 : 0,
    );
  });

  test('layerNorm keeps leading axes and a mean far from zero', () => {
    const x = tf.add(1000, tf.tensor3d(random(24, 1), [2, 3, 4]));
    const y = layerNorm(x, tf.ones([4]), tf.zeros([4]));
    expect(y.shape).toEqual([2, 3, 4]);
    withValues([tf.mean(y)], ([mean]) => expect(Math.abs(mean)).toBeLessThan(1e-2));
  });

  test.each([
    [1, 1, 4, 1],
    [2, 5, 6, 2],
    [1, 64, 32, 4],
    [2, 130, 24, 3],
  ])('causalAttention of [%p, %p, 3 * %p], %p heads', (batch, length, hiddenSize, numHeads) => {
    const size = batch * length * 3 * hiddenSize;
    const qkv = tf.tensor3d(
      random(size, 1).map((v) => 2 * v),
      [batch, length, 3 * hiddenSize],
    );
    expectSame(
      (x) => causalAttention(x as tf.Tensor3D, numHeads),
      (x) => composedAttention(x, numHeads),
      [qkv],
      Math.max(2e-5, exponentialTolerance(16)),
    );
  });

  test('causalAttention: no position sees a later one', () => {
    const values = random(8 * 12, 1);
    const y = causalAttention(tf.tensor3d(values.slice(), [1, 8, 12]), 2);
    values.fill(7, 5 * 12);
    const changed = causalAttention(tf.tensor3d(values, [1, 8, 12]), 2);
    withValues([y, changed], (y, changed) => {
      expect(changed.slice(0, 5 * 4)).toEqual(y.slice(0, 5 * 4));
      expect(changed.slice(5 * 4)).not.toEqual(y.slice(5 * 4));
    });
  });

  test('embedding looks up rows and sums their gradients by index', () => {
    const table = tf.tensor2d(random(7 * 5, 1), [7, 5]);
    const indices = tf.tensor2d([3, 0, 3, 6, 3, 1], [2, 3], 'int32');
    const oneHot = tf.reshape(tf.oneHot(indices, 7), [6, 7]);
    expectSame(
      (x) => embedding(x as tf.Tensor2D, indices),
      (x) => tf.reshape(tf.matMul(tf.cast(oneHot, 'float32'), x as tf.Tensor2D), [2, 3, 5]),
      [table],
    );
  });

  // Of several tiles of the sort, in which a token fills whole runs of positions.
  test.each([5, 8])('embedding sums many rows of few tokens, each of %d', (hiddenSize) => {
    const table = tf.tensor2d(random(3 * hiddenSize, 1), [3, hiddenSize]);
    const tokens = random(5000, 2).map((x) => (x < 0.9 ? 1 : x < 0.95 ? 0 : 2));
    const indices = tf.tensor1d(tokens, 'int32');
    const oneHot = tf.oneHot(indices, 3);
    expectSame(
      (x) => embedding(x as tf.Tensor2D, indices),
      (x) => tf.matMul(tf.cast(oneHot, 'float32') as tf.Tensor2D, x as tf.Tensor2D),
      [table],
    );
  });

  test('embedding of an index out of range is zero, without a gradient', () => {
    tf.tidy(() => {
      const table = tf.ones([3, 2]) as tf.Tensor2D;
      const indices = tf.tensor1d([-1, 3, 2], 'int32');
      const {value, grad} = tf.valueAndGrad((x) => embedding(x as tf.Tensor2D, indices))(
        table,
        tf.ones([3, 2]),
      );
      expectClose(value, [0, 0, 0, 0, 1, 1]);
      expectClose(grad, [0, 0, 0, 0, 1, 1]);
    });
  });

  test.each([
    [1, 1],
    [5, 3],
    [70, 8],
    [3, 260],
    [2, 1030],
  ])('softmax of [%p, %p]', (rows, size) => {
    const logits = tf.tensor2d(
      random(rows * size, 1).map((v) => 4 * v),
      [rows, size],
    );
    const composed: F = (x) => {
      const terms = tf.exp(tf.sub(x, tf.max(x, -1, true)));
      return tf.div(terms, tf.sum(terms, -1, true));
    };
    expectSame(softmax, composed, [logits]);
  });

  test('softmax is stable for huge logits, keeps the shape and is honest about NaN', () => {
    const logits = tf.tensor3d([1e30, 1e30, -1e30, -Infinity, 0, 0, NaN, 0, 0], [1, 3, 3]);
    const y = softmax(logits);
    expect(y.shape).toEqual([1, 3, 3]);
    withValues([y], (y) => {
      expect([...y.slice(0, 3)]).toEqual([0.5, 0.5, 0]);
      expect([...y.slice(3, 6)]).toEqual([0, 0.5, 0.5]);
      y.slice(6).forEach((v) => expect(v).toBeNaN());
    });
  });

  // As PyTorch and TensorFlow: the gradient is softmax - one-hot, however large the loss.
  test.each([
    ['masked by a large number', [1, 2, -1e9, 2], 2],
    ['masked by a very large number', [1, 2, -3e38, 2, 1], 2],
    ['of -Infinity', [1, -Infinity, 3, -Infinity], 3],
    ['of -Infinity, of an odd size', [1, -Infinity, 3], 1],
    ['beside -Infinity', [1, -Infinity, 3], 2],
  ])('the gradient of sparseSoftmaxCrossEntropy at a label %s', (_, logits, label) => {
    const weights = logits.map(Math.exp);
    const sum = weights.reduce((x, y) => x + y);
    const softmaxOfRow = weights.map((weight) => weight / sum);
    const loss = Math.log(sum) - logits[label];
    const wanted = softmaxOfRow.map((x, i) => 0.5 * (x - (i === label ? 1 : 0)));
    const row = tf.tensor2d(logits, [1, logits.length]);
    const f = (x: tf.Tensor) => sparseSoftmaxCrossEntropy(tf.tensor1d([label], 'int32'), x);
    const {value, grad} = tf.valueAndGrad(f)(row, tf.tensor1d([0.5]));
    expectClose(grad, wanted);
    withValues([value], ([value]) => {
      expect(Math.min(value, 3.5e38) / Math.min(loss, 3.5e38)).toBeCloseTo(1);
    });
  });

  test.each([
    ['NaN', [1, NaN, 3, 4]],
    ['Infinity', [1, Infinity, 3]],
    ['-Infinity alone', [-Infinity, -Infinity, -Infinity, -Infinity]],
  ])('sparseSoftmaxCrossEntropy is honest about %s', (_, logits) => {
    const row = tf.tensor2d(logits, [1, logits.length]);
    const f = (x: tf.Tensor) => sparseSoftmaxCrossEntropy(tf.tensor1d([0], 'int32'), x);
    const {value, grad} = tf.valueAndGrad(f)(row);
    withValues([value, grad], (value, grad) => {
      expect(value[0]).toBeNaN();
      expect(grad[0]).toBeNaN();
    });
  });

  test.each([
    [1, 2],
    [5, 3],
    [4, 257],
  ])('sparseSoftmaxCrossEntropy of [%p, %p]', (rows, vocabSize) => {
    const logits = tf.tensor2d(
      random(rows * vocabSize, 1).map((v) => 4 * v),
      [rows, vocabSize],
    );
    const labels = tf.tensor1d(
      Array.from({length: rows}, (_, i) => (i * 7) % vocabSize),
      'int32',
    );
    const oneHot = tf.cast(tf.oneHot(labels, vocabSize), 'float32');
    expectSame(
      (x) => sparseSoftmaxCrossEntropy(labels, x),
      (x) => tf.sub(tf.logSumExp(x, -1), tf.sum(tf.mul(oneHot, x), -1)),
      [logits],
    );
  });

  test('sparseSoftmaxCrossEntropy is stable for huge logits and honest about NaN', () => {
    const logits = tf.tensor2d([1e4, 0, -1e4, 1e30, 1e30, 0, NaN, 0, 0], [3, 3]);
    const labels = tf.tensor1d([1, 0, 2], 'int32');
    withValues([sparseSoftmaxCrossEntropy(labels, logits)], (losses) => {
      expect(losses[0]).toBe(1e4);
      expect(losses[1]).toBeCloseTo(Math.LN2, 5);
      expect(losses[2]).toBeNaN();
    });
  });

  test('sparseSoftmaxCrossEntropy ignores labels out of range', () => {
    tf.tidy(() => {
      const labels = tf.tensor1d([-100, 1, 3], 'int32');
      const {value, grad} = tf.valueAndGrad((x) => sparseSoftmaxCrossEntropy(labels, x))(
        tf.zeros([3, 3]),
        tf.ones([3]),
      );
      expectClose(value, [0, Math.log(3), 0]);
      expectClose(grad, [0, 0, 0, 1 / 3, 1 / 3 - 1, 1 / 3, 0, 0, 0]);
    });
  });

  test('the loss takes targets of [batch, T, 1] in float32, as fit gives them', () => {
    const loss = sparseSoftmaxCrossEntropyLoss(tf.tensor3d([[[0], [1]]]), tf.zeros([1, 2, 4]));
    withValues([loss], ([loss]) => expect(loss).toBeCloseTo(Math.log(4), 5));
  });

  test('nothing leaks, forward and backward', () => {
    const qkv = tf.tensor3d(random(72, 1), [1, 6, 12]);
    const x = tf.tensor2d(random(24, 1), [6, 4]);
    const vector = tf.ones([4]) as tf.Tensor1D;
    const labels = tf.tensor1d([0, 1, 2, 3, 0, 1], 'int32');
    for (const [f, input] of [
      [(v) => causalAttention(v as tf.Tensor3D, 2), qkv],
      [(v) => layerNorm(v, vector, vector), x],
      [(v) => activation(v, 'gelu_new'), x],
      [(v) => sparseSoftmaxCrossEntropy(labels, v), x],
      [(v) => embedding(v as tf.Tensor2D, labels), x],
    ] as [F, tf.Tensor][]) {
      expectNoLeak(() => tf.grad(f)(input));
    }
    tf.dispose([qkv, x, vector, labels]);
  });

  test.each<[string, () => unknown, string]>([
    [
      'activation name',
      () => activation(tf.zeros([1]), 'swoosh' as never),
      "activation: name must be one of 'gelu_new', 'gelu', 'silu', 'relu', got 'swoosh'",
    ],
    [
      'activation dtype',
      () => activation(tf.zeros([1], 'int32'), 'relu'),
      'activation: x must be float32, got int32',
    ],
    [
      'attention heads',
      () => causalAttention(tf.zeros([1, 2, 12]), 3),
      'causalAttention: qkv must have a last axis that 3 * numHeads, 9, divides, got 12',
    ],
    [
      'embedding dtype',
      () => embedding(tf.zeros([2, 2]), tf.zeros([2])),
      'embedding: indices must be int32, got float32',
    ],
    [
      'cross-entropy labels',
      () => sparseSoftmaxCrossEntropy(tf.zeros([2], 'int32'), tf.zeros([3, 4])),
      'sparseSoftmaxCrossEntropy: labels must have shape [3] or [3,1], got [2]',
    ],
    [
      'layerNorm gamma',
      () => layerNorm(tf.zeros([2, 3]), tf.zeros([2]), tf.zeros([3])),
      'layerNorm: gamma must have shape [3], got [2]',
    ],
    [
      'layerNorm epsilon',
      () => layerNorm(tf.zeros([2, 3]), tf.zeros([3]), tf.zeros([3]), 0),
      'layerNorm: epsilon must be positive, got 0',
    ],
  ])(`${backendName} refuses a bad %s`, (_, run, message) => {
    expect(run).toThrow(message);
  });
});
