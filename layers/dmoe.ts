import {
  reshape,
  serialization,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
} from '@tensorflow/tfjs-core';
import type {MoEArguments} from './arguments';
import type {ExpertAssignment} from '../ops/expert_assignment';
import {groupedExperts} from './experts/grouped';
import type {ExpertMlpOptions, ExpertWeights} from './experts/mlp';
import {sparseExperts} from './experts/sparse';
import {MoELayer} from './moe_layer';
import type {ExpertWeightLayouts} from './moe_weights';

/**
 * The dropless mixture of experts: every token gets all of its experts, however unevenly they are
 * chosen. Made by `layers.dMoE`.
 *
 * @see megablocks.layers.dmoe.dMoE
 */
export class DMoE extends MoELayer {
  static className = 'dMoE';

  constructor(config: MoEArguments = {}) {
    super('dMoE', config);
  }

  protected override expertWeightLayouts(hiddenSize: number): ExpertWeightLayouts {
    const {moeNumExperts, ffnHiddenSize} = this.args;
    const asDrawn = {
      shape: [moeNumExperts * ffnHiddenSize, hiddenSize],
      arrange: (drawn: Tensor2D) => drawn,
    };
    return {up: asDrawn, down: asDrawn};
  }

  protected override expertCapacity(): null {
    return null;
  }

  protected override runExperts(
    x: Tensor2D,
    assignment: ExpertAssignment,
    expertWeights: Tensor1D,
    weights: ExpertWeights,
    options: ExpertMlpOptions,
  ): Tensor2D {
    const {mlpImpl, blockSize, moeNumExperts, ffnHiddenSize} = this.args;
    if (mlpImpl === 'sparse') {
      return sparseExperts(x, assignment, expertWeights, weights, {...options, blockSize});
    }
    const byExpert = (w: Tensor) => reshape(w, [moeNumExperts, ffnHiddenSize, x.shape[1]]);
    const {w1, v1, w2} = weights;
    return groupedExperts(
      x,
      assignment,
      expertWeights,
      {w1: byExpert(w1), v1: v1 && byExpert(v1), w2: byExpert(w2)},
      options,
    );
  }
}
serialization.registerClass(DMoE);
