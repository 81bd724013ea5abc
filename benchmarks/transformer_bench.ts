import * as tf from '@tensorflow/tfjs';
import {
  activation,
  adamW,
  causalAttention,
  embedding,
  layerNorm,
  softmax,
  sparseSoftmaxCrossEntropy,
} from '../src/index';
import {AdamWOptimizer} from '../training/optimizers/adamw';
import {type Differentiable, forward, forwardAndBackward, type Work} from './differentiable';
import {withFastMatMul} from './fast_mat_mul';
import type {Benchmark, Comparison} from './harness';
import * as tfjs from './tfjs_ops';

/** Tensors of normally distributed values. */
export type Normal = (shape: number[], seed: number, std?: number) => tf.Tensor;

/** By the host. */
export const normal: Normal = (shape, seed, std = 1) =>
  tf.randomNormal(shape, 0, std, 'float32', seed);

/** Sequences and their length, sizes of the model and of its vocabulary. */
export interface Sizes {
  batch: number;
  length: number;
  H: number;
  heads: number;
  F: number;
  V: number;
}

const SIZES: Sizes = {batch: 8, length: 256, H: 256, heads: 4, F: 1024, V: 4096};

function randomIndices(size: number, end: number): tf.Tensor1D {
  return tf.cast(tf.floor(tf.randomUniform<tf.Rank.R1>([size], 0, end, 'float32', 3)), 'int32');
}

function activationWork({batch, length, F}: Sizes, normal: Normal): Work {
  const gelu = tf.layers.activation({activation: 'gelu_new'});
  return {
    title: 'activation, gelu_new',
    shapes: {T: batch * length, F},
    inputs: [normal([batch * length, F], 1)],
    contenders: {
      'tfjs ops': tfjs.geluNew,
      activation: (x) => activation(x, 'gelu_new'),
      'tf.layers.activation': (x) => gelu.apply(x) as tf.Tensor,
    },
  };
}

function layerNormWork({batch, length, H}: Sizes, normal: Normal): Work {
  return {
    title: 'layerNorm',
    shapes: {T: batch * length, H},
    inputs: [normal([batch * length, H], 1), tf.add(1, normal([H], 2, 0.1)), normal([H], 3, 0.1)],
    contenders: {
      'tf.moments and tfjs ops': tfjs.layerNorm,
      layerNorm: (x, gamma, beta) => layerNorm(x, gamma as tf.Tensor1D, beta as tf.Tensor1D),
    },
  };
}

function causalAttentionWork({batch, length, H, heads}: Sizes, normal: Normal): Work {
  const mask = tfjs.causalMask(length);
  const composed: Differentiable = (qkv) => tfjs.causalAttention(qkv as tf.Tensor3D, heads, mask);
  return {
    title: 'causalAttention',
    shapes: {batch, length, H, heads},
    inputs: [normal([batch, length, 3 * H], 1)],
    contenders: {
      'tf.matMul, tf.softmax': composed,
      causalAttention: (qkv) => causalAttention(qkv as tf.Tensor3D, heads),
      'tf.matMul, tf.softmax, useFastMatMul': {compute: composed, wrap: withFastMatMul},
    },
  };
}

function embeddingWork({batch, length, H, V}: Sizes, normal: Normal): Work {
  const indices = randomIndices(batch * length, V);
  const oneHot: Differentiable = (table) => tfjs.oneHotEmbedding(table as tf.Tensor2D, indices);
  return {
    title: 'embedding',
    shapes: {T: batch * length, H, V},
    inputs: [normal([V, H], 1)],
    contenders: {
      // tf.gather's own gradient does not exist on wasm.
      'tf.gatherND, gradient by tf.scatterND': (table) =>
        tfjs.gatherRows(table as tf.Tensor2D, indices),
      embedding: (table) => embedding(table as tf.Tensor2D, indices),
      'tf.gather, gradient by tf.scatterND': (table) =>
        tfjs.plainGatherRows(table as tf.Tensor2D, indices),
      'one-hot tf.matMul, useFastMatMul': {compute: oneHot, wrap: withFastMatMul},
    },
  };
}

/** Over rows as long as the sequences, as attention needs it. */
function softmaxWork({batch, length}: Sizes, normal: Normal): Work {
  return {
    title: 'softmax',
    shapes: {rows: batch * length, length},
    inputs: [normal([batch * length, length], 1)],
    contenders: {'tf.softmax': (x) => tf.softmax(x), softmax: (x) => softmax(x)},
  };
}

function crossEntropyWork({batch, length, V}: Sizes, normal: Normal): Work {
  const labels = randomIndices(batch * length, V);
  return {
    title: 'sparseSoftmaxCrossEntropy',
    shapes: {T: batch * length, V},
    inputs: [normal([batch * length, V], 1)],
    contenders: {
      'tf.losses.softmaxCrossEntropy of tf.oneHot': (logits) =>
        tfjs.softmaxCrossEntropy(labels, logits as tf.Tensor2D),
      sparseSoftmaxCrossEntropy: (logits) => sparseSoftmaxCrossEntropy(labels, logits),
    },
  };
}

/** One step of the optimizer on one matrix. */
export function adamWComparison({H, V}: Pick<Sizes, 'H' | 'V'>, normal: Normal): Comparison {
  const gradient = tf.variable(normal([V, H], 1));
  const [moment, square] = [tf.zeros([V, H]), tf.zeros([V, H])];
  const adam = tf.train.adam(1e-3);
  const optimizer = new AdamWOptimizer({learningRate: 1e-3});
  const [a, b, c] = [0, 1, 2].map(() => tf.variable(normal([V, H], 2)));
  return {
    title: 'adamW',
    shapes: {H, V},
    contenders: {
      'tf.train.adam': () => adam.applyGradients({[a.name]: gradient}),
      'AdamWOptimizer, by adamW': () => optimizer.applyGradients({[b.name]: gradient}),
      'adamW, without assigning': () =>
        adamW<tf.Tensor>(c, gradient, moment, square, {learningRate: 1e-3, step: 1}),
    },
  };
}

/** Every work by its sizes. */
export const works: ((sizes: Sizes, normal: Normal) => Work)[] = [
  embeddingWork,
  layerNormWork,
  softmaxWork,
  causalAttentionWork,
  activationWork,
  crossEntropyWork,
];

export const benchmark: Benchmark = {
  name: 'transformer',
  description: 'what else a transformer needs, beside the ops of tfjs',
  comparisons: [
    ...works.flatMap((work) => [
      () => forward(work(SIZES, normal)),
      () => forwardAndBackward(work(SIZES, normal)),
    ]),
    () => adamWComparison(SIZES, normal),
  ],
};
