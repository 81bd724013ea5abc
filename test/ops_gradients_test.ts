import * as tf from '@tensorflow/tfjs';
import {
  activation,
  causalAttention,
  embedding,
  groupedMatMul,
  layerNorm,
  sparseSoftmaxCrossEntropy,
} from '../src/index';
import {ACTIVATION_NAMES} from '../src/kernel_names';
import {describeEachBackend} from './backends';
import {expectGradients} from './finite_differences';
import {random} from './random';

// Gradients against central differences, of the ops whose own test files compare with compositions.

const noise = (shape: number[], seed: number) =>
  tf.tensor(
    random(
      shape.reduce((a, b) => a * b, 1),
      seed,
    ),
    shape,
  );

describeEachBackend('central differences', () => {
  // Empty bins, and rows beyond the last one.
  const BINS = [2, 2, 5, 5];
  const ROWS = 6;
  test.each([
    ['the product', {}, [4, 3, 2]],
    ['transposeB', {transposeB: true}, [4, 2, 3]],
    ['transposeA', {transposeA: true}, [ROWS, 2]],
  ] as [string, object, number[]][])('groupedMatMul, %s', (_, options, shape) => {
    const bins = tf.tensor1d(BINS, 'int32');
    expectGradients(
      (a, b) => groupedMatMul(a as tf.Tensor2D, b as tf.Tensor3D, bins, options),
      [noise([ROWS, 3], 1), noise(shape, 2)],
    );
  });

  test('layerNorm', () => {
    // Apart from one another, so that no row has a variance near zero.
    const x = tf.add(noise([3, 5], 1), tf.range(0, 5));
    expectGradients(
      (x, gamma, beta) => layerNorm(x, gamma as tf.Tensor1D, beta as tf.Tensor1D),
      [x, noise([5], 2), noise([5], 3)],
    );
  });

  test.each([1, 2])('causalAttention, %p heads', (numHeads) => {
    expectGradients(
      (qkv) => causalAttention(qkv as tf.Tensor3D, numHeads),
      [noise([2, 3, 3 * 4], 1)],
    );
  });

  test.each(ACTIVATION_NAMES)('activation %s', (name) => {
    // relu has no derivative at 0.
    expectGradients((x) => activation(x, name), [tf.tensor1d([-3, -1.2, -0.5, 0.1, 0.7, 1.5, 4])]);
  });

  test('sparseSoftmaxCrossEntropy', () => {
    // The last label is out of range: no loss, no gradient.
    const labels = tf.tensor1d([2, 0, 3, -1], 'int32');
    expectGradients(
      (logits) => sparseSoftmaxCrossEntropy(labels, logits),
      [tf.mul(2, noise([4, 4], 1))],
    );
  });

  test('embedding', () => {
    const indices = tf.tensor2d([3, 0, 3, -1, 1, 3], [2, 3], 'int32');
    expectGradients((table) => embedding(table as tf.Tensor2D, indices), [noise([5, 3], 1)]);
  });
});
