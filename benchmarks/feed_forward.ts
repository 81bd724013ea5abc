import * as tf from '@tensorflow/tfjs';
import {gatherRows, geluNew} from './tfjs_ops';

// Feed-forward layers and mixtures of experts as they are written with TensorFlow.js alone.

export interface FeedForwardWeights {
  /** [H, F]. */
  w1: tf.Tensor2D;
  /** [F, H]. */
  w2: tf.Tensor2D;
}

/** The dense layer. */
export function feedForward(x: tf.Tensor2D, {w1, w2}: FeedForwardWeights): tf.Tensor2D {
  return tf.matMul(geluNew(tf.matMul(x, w1)), w2);
}

/** Every expert on every token, and a mask of the chosen ones: top-1. `router` is [H, E]. */
export function maskedLoop(
  x: tf.Tensor2D,
  router: tf.Tensor2D,
  experts: FeedForwardWeights[],
): tf.Tensor2D {
  const scores = tf.softmax(tf.matMul(x, router));
  const chosen = tf.oneHot(tf.argMax(scores, 1), experts.length);
  const weights = tf.mul<tf.Tensor2D>(scores, chosen);
  const outputs = experts.map((expert, e) =>
    tf.mul<tf.Tensor2D>(feedForward(x, expert), tf.slice(weights, [0, e], [-1, 1])),
  );
  return tf.addN(outputs);
}

/** The tokens that choose each expert, read back from the backend: top-1. */
export async function tokensOfExperts(x: tf.Tensor2D, router: tf.Tensor2D): Promise<number[][]> {
  const tokens = Array.from({length: router.shape[1]}, (): number[] => []);
  const chosen = await tf.argMax(tf.matMul(x, router), 1).data();
  chosen.forEach((expert, token) => tokens[expert].push(token));
  return tokens;
}

/** Each expert on the tokens that chose it, which are gathered and put back: top-1. */
export function gatherLoop(
  x: tf.Tensor2D,
  router: tf.Tensor2D,
  experts: FeedForwardWeights[],
  tokens: number[][],
): tf.Tensor2D {
  const weights = tf.max(tf.softmax(tf.matMul(x, router)), 1, true);
  const outputs = experts.flatMap((expert, e) =>
    tokens[e].length === 0 ? [] : [feedForward(gatherRows(x, rows(tokens[e])), expert)],
  );
  const order = tokens.flat();
  const inverse = new Array<number>(order.length);
  order.forEach((token, position) => (inverse[token] = position));
  return tf.mul(gatherRows(tf.concat(outputs), rows(inverse)), weights);
}

function rows(values: number[]): tf.Tensor1D {
  return tf.tensor1d(values, 'int32');
}
