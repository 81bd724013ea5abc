import {
  reshape,
  serialization,
  type Tensor1D,
  type Tensor2D,
  transpose,
} from '@tensorflow/tfjs-core';
import type {MoEArguments} from './arguments';
import type {ExpertAssignment} from '../ops/expert_assignment';
import {binnedExperts, expertCapacity} from './experts/binned';
import type {ExpertMlpOptions, ExpertWeights} from './experts/mlp';
import {MoELayer} from './moe_layer';
import type {ExpertWeightLayouts} from './moe_weights';

/**
 * The mixture of experts with a capacity: what an expert is sent beyond it is dropped. Made by
 * `layers.moe`.
 *
 * @see megablocks.layers.moe.MoE
 */
export class MoE extends MoELayer {
  static className = 'MoE';

  constructor(config: MoEArguments = {}) {
    super('moe', config);
  }

  protected override expertWeightLayouts(hiddenSize: number): ExpertWeightLayouts {
    const {moeNumExperts, ffnHiddenSize} = this.args;
    const drawn = [moeNumExperts, ffnHiddenSize, hiddenSize];
    return {
      up: {
        shape: [moeNumExperts, hiddenSize, ffnHiddenSize],
        arrange: (w) => transpose(reshape(w, drawn), [0, 2, 1]),
      },
      down: {shape: drawn, arrange: (w) => reshape(w, drawn)},
    };
  }

  protected override expertCapacity(numTokens: number): number {
    const {moeCapacityFactor, moeTopK, moeNumExperts} = this.args;
    return expertCapacity(moeCapacityFactor, numTokens, moeTopK, moeNumExperts);
  }

  protected override runExperts(
    x: Tensor2D,
    assignment: ExpertAssignment,
    expertWeights: Tensor1D,
    weights: ExpertWeights,
    options: ExpertMlpOptions,
  ): Tensor2D {
    const capacity = this.expertCapacity(x.shape[0]);
    return binnedExperts(x, assignment, expertWeights, weights, {...options, capacity});
  }
}
serialization.registerClass(MoE);
