import * as tf from '@tensorflow/tfjs';
import {
  activation,
  adamW,
  causalAttention,
  embedding,
  gather,
  globalNorm,
  groupedMatMul,
  layerNorm,
  replicate,
  scatter,
  softmax,
  sparseSoftmaxCrossEntropy,
  topK,
} from '../src/index';
import {ACTIVATION_NAMES} from '../src/kernel_names';
import {describeEachBackend} from './backends';
import {expectClose} from './close';
import {withGradients} from './with_gradients';

// tf.cast makes floats of integers and booleans without a copy on some backends: what holds the data is then
// no array of floats. Each op gives of such what it gives of floats.

type Make = (shape: number[]) => tf.Tensor;

const ints: Make = (shape) =>
  tf.tensor(
    Array.from({length: tf.util.sizeFromShape(shape)}, (_, i) => ((i * 7) % 5) - 1),
    shape,
    'int32',
  );
const ENTRIES: Record<string, Make> = {
  integers: ints,
  booleans: (shape) => tf.greater(ints(shape), 0),
};

const bins = () => tf.tensor1d([1, 3], 'int32');
const indices = () => tf.tensor1d([1, 0, 2], 'int32');
const binIds = () => tf.tensor1d([0, 1, 1], 'int32');
const labels = () => tf.tensor1d([1, 0, 2], 'int32');

const OPS: Record<string, (make: Make) => tf.Tensor[]> = {
  ...Object.fromEntries(
    ACTIVATION_NAMES.map((name) => [
      `activation ${name}`,
      (make: Make) => withGradients((x) => activation(x, name), make([7])),
    ]),
  ),
  adamW: (make) => {
    const moment = tf.square(make([5]));
    return adamW(make([5]), make([5]), moment, moment, {learningRate: 0.3, step: 2});
  },
  causalAttention: (make) =>
    withGradients((qkv) => causalAttention(qkv as tf.Tensor3D, 1), make([1, 3, 6])),
  embedding: (make) =>
    withGradients((table) => embedding(table as tf.Tensor2D, indices()), make([3, 4])),
  gather: (make) =>
    withGradients((x) => gather(x as tf.Tensor2D, indices(), binIds(), bins(), 1), make([3, 4])),
  globalNorm: (make) => [globalNorm([make([5]), make([8])])],
  groupedMatMul: (make) =>
    withGradients(
      (a, b) => groupedMatMul(a as tf.Tensor2D, b as tf.Tensor3D, bins()),
      make([3, 4]),
      make([2, 4, 2]),
    ),
  layerNorm: (make) =>
    withGradients(
      (x, gamma, beta) => layerNorm(x, gamma as tf.Tensor1D, beta as tf.Tensor1D),
      make([3, 4]),
      make([4]),
      make([4]),
    ),
  replicate: (make) => withGradients((x) => replicate(x as tf.Tensor1D, bins(), 4), make([2])),
  scatter: (make) =>
    withGradients(
      (x, weights) =>
        scatter(x as tf.Tensor2D, indices(), binIds(), weights as tf.Tensor1D, bins(), 1),
      make([3, 4]),
      make([3]),
    ),
  softmax: (make) => withGradients(softmax, make([3, 4])),
  sparseSoftmaxCrossEntropy: (make) =>
    withGradients((logits) => sparseSoftmaxCrossEntropy(labels(), logits), make([3, 4])),
  topK: (make) => withGradients((x) => topK(x as tf.Tensor2D, 2).values, make([3, 4])),
};

describeEachBackend('floats that tf.cast made', () => {
  describe.each(Object.entries(ENTRIES))('of %s', (_, make) => {
    test.each(Object.entries(OPS))('%s', (_, run) => {
      tf.tidy(() => {
        // What is multiplied is new, and of floats.
        const wanted = run((shape) => tf.mul(tf.cast(make(shape), 'float32'), tf.scalar(1)));
        run((shape) => tf.cast(make(shape), 'float32')).forEach((x, i) =>
          expectClose(x, wanted[i], {tolerance: 1e-6, magnitude: 1, name: `result ${i}`}),
        );
      });
    });
  });
});
