import {
  div,
  mod,
  mul,
  pow,
  randomUniform,
  range,
  reshape,
  scalar,
  slice,
  sum,
  type Tensor2D,
} from '@tensorflow/tfjs-core';
import {exactMatMul} from '../ops/exact_mat_mul';
import {softmax} from '../ops/softmax';
import {stopGradient} from '../ops/stop_gradient';
import {topK} from '../ops/top_k';

export interface RouterOptions {
  /** K. */
  topK: number;
  /** The p of the norm by which each token's weights are divided; 0 or null for none. */
  normalizeExpertWeights: number | null;
  /** Whether experts are dealt out in turn instead. */
  uniformExpertAssignment: boolean;
}

/** Where each token goes. */
export interface Routing {
  /** [T, E], before the softmax. */
  logits: Tensor2D;
  /** [T, E], the probability of each expert. */
  scores: Tensor2D;
  /** [T, K], the factor of each expert's output. */
  expertWeights: Tensor2D;
  /** [T, K], int32, in descending order of their scores; cut from the tape. */
  expertIndices: Tensor2D;
}

/**
 * Chooses the experts of each token. A token whose logits are not finite gets scores and weights of
 * NaN: it is never routed silently.
 *
 * @param x The tokens, [T, H].
 * @param weight [E, H].
 * @see megablocks.layers.router.LearnedRouter
 */
export function route(x: Tensor2D, weight: Tensor2D, options: RouterOptions): Routing {
  const logits = exactMatMul(x, weight, false, true);
  const scores = softmax(logits);
  const {values, indices} = topK(scores, options.topK);
  return {
    logits,
    scores,
    expertWeights: normalize(values, options.normalizeExpertWeights),
    expertIndices: options.uniformExpertAssignment ? dealInTurn(scores, options.topK) : indices,
  };
}

/** The router's input with noise: every element times a factor within 1 - epsilon and 1 + epsilon. */
export function jitter(x: Tensor2D, epsilon: number, seed?: string): Tensor2D {
  return mul(x, randomUniform(x.shape, 1 - epsilon, 1 + epsilon, 'float32', seed));
}

/**
 * Divides each row by its p-norm; the weights are probabilities, so there is no sign to drop. The largest,
 * which is first, becomes 1 beforehand, since float32 loses the powers of less: it is a constant to the
 * gradient, as no factor of a row changes the quotient.
 */
function normalize(weights: Tensor2D, p: number | null): Tensor2D {
  if (!p) {
    return weights;
  }
  const largest = stopGradient(slice(weights, [0, 0], [-1, 1]));
  const shares = div<Tensor2D>(weights, largest);
  return div(shares, pow(sum(pow(shares, p), -1, true), 1 / p));
}

/** Copy i goes to expert i modulo E. */
function dealInTurn(scores: Tensor2D, topK: number): Tensor2D {
  const [numTokens, numExperts] = scores.shape;
  const copies = range(0, numTokens * topK, 1, 'int32');
  return reshape(mod(copies, scalar(numExperts, 'int32')), [numTokens, topK]);
}
