import * as tf from '@tensorflow/tfjs';
import {AdafactorOptimizer} from '../training/optimizers/adafactor';
import {AdamWOptimizer} from '../training/optimizers/adamw';
import {globalNorm} from '../ops/global_norm';
import type {Benchmark, Comparison, Run} from './harness';

/** The shapes of a transformer's block: attention, experts, biases and norms. */
const SHAPES = [
  [256, 768],
  [256, 256],
  [8 * 1024, 256],
  [8 * 1024, 256],
  [768],
  [256],
  [256],
  [256],
];

/** One update of all parameters. */
function update(optimizer: tf.Optimizer): Run {
  const parameters = SHAPES.map((shape) => tf.variable(tf.randomNormal(shape)));
  const gradients = SHAPES.map((shape) => tf.randomNormal(shape));
  const named = parameters.map(({name}, i) => ({name, tensor: gradients[i]}));
  return () => tf.tidy(() => optimizer.applyGradients(named));
}

function updates(): Comparison {
  const learningRate = 1e-3;
  const sizes = SHAPES.map((shape) => tf.util.sizeFromShape(shape));
  const gradients = SHAPES.map((shape) => tf.randomNormal(shape));
  return {
    title: 'update of all parameters',
    shapes: {parameters: sizes.reduce((a, b) => a + b), tensors: SHAPES.length},
    contenders: {
      'tf.train.adam': update(tf.train.adam(learningRate)),
      AdamWOptimizer: update(new AdamWOptimizer({learningRate, weightDecay: 0.1})),
      'AdamWOptimizer, clipped': update(
        new AdamWOptimizer({learningRate, weightDecay: 0.1, clipNorm: 1}),
      ),
      AdafactorOptimizer: update(new AdafactorOptimizer({learningRate})),
      'globalNorm alone': () => tf.tidy(() => globalNorm(gradients)),
    },
    highlights: ['AdamWOptimizer, clipped'],
  };
}

export const benchmark: Benchmark = {
  name: 'optimizer',
  description: 'updates of all parameters of a block, beside tf.train.adam',
  comparisons: [updates],
};
