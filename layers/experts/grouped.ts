import type {Tensor1D, Tensor2D, Tensor3D} from '@tensorflow/tfjs-core';
import {gather} from '../../ops/gather';
import {groupedMatMul} from '../../ops/grouped_mat_mul';
import {scatter} from '../../ops/scatter';
import type {ExpertAssignment} from '../expert_assignment';
import {expertMlp, type ExpertMlpOptions, type ExpertRows, type ExpertWeights} from './mlp';

/** Rows that lie packed, expert after expert; all weights are [E, F, H]. */
function groupedRows(bins: Tensor1D): ExpertRows {
  return {
    metadata: [bins],
    products: ([bins]) => ({
      up: (x, w1) =>
        groupedMatMul(x as Tensor2D, w1 as Tensor3D, bins as Tensor1D, {transposeB: true}),
      down: (hidden, w2) => groupedMatMul(hidden as Tensor2D, w2 as Tensor3D, bins as Tensor1D),
      downGradHidden: (dy, w2) =>
        groupedMatMul(dy as Tensor2D, w2 as Tensor3D, bins as Tensor1D, {transposeB: true}),
      downGradWeights: (hidden, dy) =>
        groupedMatMul(hidden as Tensor2D, dy as Tensor2D, bins as Tensor1D, {transposeA: true}),
    }),
  };
}

/**
 * The experts of a dMoE, by grouped products: nothing is dropped and nothing is padded.
 *
 * @param x [T, H].
 * @param expertWeights The factor of each copy, [N].
 * @param weights All [E, F, H].
 * @returns [T, H].
 * @see megablocks.layers.dmoe.ParallelDroplessMLP.grouped_forward_once
 */
export function groupedExperts(
  x: Tensor2D,
  {indices, binIds, bins, topK}: ExpertAssignment,
  expertWeights: Tensor1D,
  weights: ExpertWeights,
  options: ExpertMlpOptions,
): Tensor2D {
  const rows = gather(x, indices, binIds, bins, topK);
  const y = expertMlp(rows, weights, groupedRows(bins), options) as Tensor2D;
  return scatter(y, indices, binIds, expertWeights, bins, topK);
}
