import type {Tensor1D, Tensor2D, Tensor3D} from '@tensorflow/tfjs-core';
import {gather} from '../../ops/gather';
import {groupedMatMul} from '../../ops/grouped_mat_mul';
import {type GroupedMlpWeights, groupedMlp, hasFusedProducts} from '../../ops/grouped_mlp';
import {scatter} from '../../ops/scatter';
import type {Precision} from '../../src/kernel_names';
import type {ExpertAssignment} from '../../ops/expert_assignment';
import {expertMlp, type ExpertMlpOptions, type ExpertRows, type ExpertWeights} from './mlp';

/** Rows that lie packed, expert after expert; all weights are [E, F, H]. */
function groupedRows(bins: Tensor1D, precision?: Precision): ExpertRows {
  return {
    metadata: [bins],
    products: ([bins]) => ({
      up: (x, w1) =>
        groupedMatMul(x as Tensor2D, w1 as Tensor3D, bins as Tensor1D, {
          transposeB: true,
          precision,
        }),
      down: (hidden, w2) =>
        groupedMatMul(hidden as Tensor2D, w2 as Tensor3D, bins as Tensor1D, {precision}),
      downGradHidden: (dy, w2) =>
        groupedMatMul(dy as Tensor2D, w2 as Tensor3D, bins as Tensor1D, {
          transposeB: true,
          precision,
        }),
      downGradWeights: (hidden, dy) =>
        groupedMatMul(hidden as Tensor2D, dy as Tensor2D, bins as Tensor1D, {
          transposeA: true,
          precision,
        }),
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
  const {activationKernel, memoryOptimized, precision} = options;
  const matrices = weights as GroupedMlpWeights;
  if (activationKernel != null && (!memoryOptimized || hasFusedProducts(matrices))) {
    const routing = {indices, binIds, bins, topK};
    return groupedMlp(x, matrices, expertWeights, routing, {
      activation: activationKernel,
      precision,
    });
  }
  const rows = gather(x, indices, binIds, bins, topK);
  const y = expertMlp(rows, weights, groupedRows(bins, precision), options) as Tensor2D;
  return scatter(y, indices, binIds, expertWeights, bins, topK);
}
