import {
  add,
  matMul,
  mul,
  reshape,
  sum,
  type Tensor1D,
  type Tensor2D,
  type Tensor3D,
} from '@tensorflow/tfjs-core';
import {binnedGather} from '../../ops/binned_gather';
import {binnedScatter} from '../../ops/binned_scatter';
import {stopGradient} from '../../ops/stop_gradient';
import type {ExpertAssignment} from '../../ops/expert_assignment';
import {expertMlp, type ExpertMlpOptions, type ExpertRows, type ExpertWeights} from './mlp';

/** As many rows for every expert: plain batched products. w1 and v1 are [E, H, F], w2 [E, F, H]. */
const BINNED_ROWS: ExpertRows = {
  metadata: [],
  products: () => ({
    up: (x, w1) => matMul(x, w1),
    down: (hidden, w2) => matMul(hidden, w2),
    downGradHidden: (dy, w2) => matMul(dy, w2, false, true),
    downGradWeights: (hidden, dy) => matMul(hidden, dy, true, false),
  }),
};

/**
 * The most tokens that an expert takes: `trunc(capacityFactor * (N / E))`, rounded in this order, as
 * MegaBlocks does. Where that is 0 none are dropped, and since a token goes to K different experts, T
 * rows an expert always suffice.
 *
 * @see megablocks.layers.moe.ParallelMLP.expert_capacity
 */
export function expertCapacity(
  capacityFactor: number,
  numTokens: number,
  topK: number,
  numExperts: number,
): number {
  const capacity = Math.trunc(capacityFactor * ((topK * numTokens) / numExperts));
  return Math.min(capacity || numTokens, numTokens);
}

/**
 * The experts of a capacity MoE: each takes as many tokens as its capacity, the first come, and the
 * rest are dropped. They receive zero; NaN where the router's input was not finite, so that dropping
 * hides nothing.
 *
 * @param x [T, H].
 * @param expertWeights The factor of each copy, [N].
 * @param weights w1 and v1 [E, H, F], w2 [E, F, H].
 * @returns [T, H].
 * @see megablocks.layers.moe.ParallelMLP.permute_and_compute
 */
export function binnedExperts(
  x: Tensor2D,
  {indices, bins, topK}: ExpertAssignment,
  expertWeights: Tensor1D,
  weights: ExpertWeights,
  {capacity, ...options}: ExpertMlpOptions & {capacity: number},
): Tensor2D {
  const rows = binnedGather(x, indices, bins, capacity, topK);
  const y = expertMlp(rows, weights, BINNED_ROWS, options) as Tensor3D;
  return add(binnedScatter(y, indices, expertWeights, bins, topK), zeroOrNaN(expertWeights, topK));
}

/** A column that adds nothing to a token, but NaN to one whose weights are NaN. */
function zeroOrNaN(expertWeights: Tensor1D, topK: number): Tensor2D {
  const ofToken = reshape(stopGradient(expertWeights), [expertWeights.size / topK, topK]);
  return mul(sum(ofToken, 1, true), 0);
}
