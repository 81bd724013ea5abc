import * as tf from '@tensorflow/tfjs';
import {activation, layers} from '../src/index';
import {withFastMatMul} from './fast_mat_mul';
import {
  feedForward,
  type FeedForwardWeights,
  gatherLoop,
  maskedLoop,
  tokensOfExperts,
} from './feed_forward';
import type {Benchmark, Comparison, Run} from './harness';

const [T, H, F] = [2048, 256, 1024];
const FORWARD_FLOPS = 4 * T * H * F;

function randomVariable(shape: [number, number], seed: number): tf.Tensor2D {
  return tf.variable(tf.randomNormal<tf.Rank.R2>(shape, 0, 0.02, 'float32', seed));
}

/** The input and the gradient of the output; the input is a variable, so that it has a gradient. */
function randomTokens() {
  const x = tf.variable(tf.randomNormal<tf.Rank.R2>([T, H], 0, 1, 'float32', 1));
  const dy = tf.randomNormal<tf.Rank.R2>([T, H], 0, 1, 'float32', 2);
  return {x, dy};
}

function randomFeedForward(seed: number): FeedForwardWeights {
  return {w1: randomVariable([H, F], seed), w2: randomVariable([F, H], seed + 1)};
}

/** Forward, and backward to the input and to every weight. */
function training(
  forward: () => tf.Tensor,
  dy: tf.Tensor,
  losses: () => tf.Scalar[] = () => [],
): Run {
  return () =>
    tf.variableGrads(() => tf.addN([tf.sum<tf.Scalar>(tf.mul(forward(), dy)), ...losses()]));
}

/** A mixture of top-1 experts without biases, with the losses of its router. */
function moe(make: typeof layers.dMoE | typeof layers.moe, numExperts: number, config = {}) {
  const layer = make({
    ffnHiddenSize: F,
    moeNumExperts: numExperts,
    bias: false,
    seed: 3,
    ...config,
  });
  return {
    training: (x: tf.Tensor, dy: tf.Tensor) =>
      training(
        () => layer.apply(x, {training: true}) as tf.Tensor,
        dy,
        () => layer.calculateLosses(),
      ),
    inference: (x: tf.Tensor) => () => layer.apply(x),
  };
}

function forward(): Comparison {
  const E = 8;
  const {x} = randomTokens();
  const dense = randomFeedForward(4);
  const router = randomVariable([H, E], 5);
  const experts = Array.from({length: E}, (_, e) => randomFeedForward(10 + 2 * e));
  return {
    title: 'forward, useFastMatMul',
    shapes: {T, H, F, E},
    flops: FORWARD_FLOPS,
    contenders: {
      dense: withFastMatMul(() => fusedFeedForward(x, dense)),
      'dense, GELU of tfjs ops': withFastMatMul(() => feedForward(x, dense)),
      dMoE: withFastMatMul(moe(layers.dMoE, E).inference(x)),
      'dMoE, sparse': withFastMatMul(moe(layers.dMoE, E, {mlpImpl: 'sparse'}).inference(x)),
      'MoE, capacity factor 1': withFastMatMul(moe(layers.moe, E).inference(x)),
      'loop of gathers': withFastMatMul(async () =>
        gatherLoop(x, router, experts, await tokensOfExperts(x, router)),
      ),
      'loop over all experts': withFastMatMul(() => maskedLoop(x, router, experts)),
    },
  };
}

/** The dense layer with the activation of the experts, so that only the mixture differs. */
function fusedFeedForward(x: tf.Tensor2D, {w1, w2}: FeedForwardWeights): tf.Tensor2D {
  return tf.matMul(activation(tf.matMul<tf.Tensor2D>(x, w1), 'gelu_new'), w2);
}

/** With this library's matrix product for all, or with tfjs' own for what tfjs multiplies. */
function forwardAndBackward(title: string, withProduct: (run: Run) => Run): Comparison {
  const E = 8;
  const {x, dy} = randomTokens();
  const dense = randomFeedForward(4);
  const router = randomVariable([H, E], 5);
  const experts = Array.from({length: E}, (_, e) => randomFeedForward(10 + 2 * e));
  return {
    title,
    shapes: {T, H, F, E},
    flops: 3 * FORWARD_FLOPS,
    contenders: {
      dense: withProduct(training(() => fusedFeedForward(x, dense), dy)),
      'dense, GELU of tfjs ops': withProduct(training(() => feedForward(x, dense), dy)),
      dMoE: withProduct(moe(layers.dMoE, E).training(x, dy)),
      'dMoE, sparse': withProduct(moe(layers.dMoE, E, {mlpImpl: 'sparse'}).training(x, dy)),
      'MoE, capacity factor 1': withProduct(moe(layers.moe, E).training(x, dy)),
      'loop of gathers': withProduct(async () => {
        const tokens = await tokensOfExperts(x, router);
        return training(() => gatherLoop(x, router, experts, tokens), dy)();
      }),
      'loop over all experts': withProduct(training(() => maskedLoop(x, router, experts), dy)),
    },
  };
}

function numbersOfExperts(): Comparison {
  const {x, dy} = randomTokens();
  const runs = [8, 16, 32, 64].map((E) => {
    const run = withFastMatMul(moe(layers.dMoE, E).training(x, dy));
    return [`dMoE, E ${E}`, run] as const;
  });
  return {
    title: 'forward and backward by number of experts, useFastMatMul',
    shapes: {T, H, F},
    flops: 3 * FORWARD_FLOPS,
    contenders: Object.fromEntries(runs),
    highlights: runs.slice(1).map(([name]) => name),
  };
}

export const benchmark: Benchmark = {
  name: 'dmoe',
  description: 'dMoE, top-1, beside the dense layer of the same FLOPs and what users write today',
  comparisons: [
    forward,
    () => ({
      ...forwardAndBackward('forward and backward, useFastMatMul', withFastMatMul),
      highlights: ['dMoE', 'loop of gathers', 'loop over all experts'],
    }),
    numbersOfExperts,
    () => forwardAndBackward('forward and backward, products of tfjs', (run) => run),
  ],
};
