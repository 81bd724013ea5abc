import {dispose, keep, type Tensor, type Tensor2D, tidy} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {stopGradient} from '../ops/stop_gradient';
import {moeLayers} from './batched_losses';

/** The experts that one MoE layer chose for its tokens. */
export interface ExpertChoices {
  /** The name of the layer. */
  layer: string;
  /**
   * [T, K], int32: for each token, in the order of the layer's input without its last axis, the experts
   * in descending order of their scores. With a capacity, some of them may have dropped the token.
   */
  experts: Tensor2D;
}

/**
 * Applies a model as in inference and gives which experts every token went to.
 *
 * ```js
 * for (const {layer, experts} of expertChoices(model, ids)) {
 *   console.log(layer, await experts.array());
 * }
 * ```
 *
 * @param model A model with MoE layers, in it or in models within it.
 * @param inputs What the model takes, a batch of any size.
 * @returns For each MoE layer, in the order in which they run; none for a model without any. The caller
 *     disposes `experts`.
 * @throws What the model throws of such inputs.
 */
export function expertChoices(model: LayersModel, inputs: Tensor | Tensor[]): ExpertChoices[] {
  const choices: ExpertChoices[] = [];
  const observed = moeLayers(model).map(({name: layer, choiceObservers}) => {
    // Kept, since the layer tidies up after itself.
    const observe = (experts: Tensor2D) =>
      void choices.push({layer, experts: keep(stopGradient(experts))});
    choiceObservers.add(observe);
    return {choiceObservers, observe};
  });
  try {
    tidy(() => void model.apply(inputs, {training: false}));
    return choices;
  } catch (error) {
    dispose(choices.map(({experts}) => experts));
    throw error;
  } finally {
    observed.forEach(({choiceObservers, observe}) => choiceObservers.delete(observe));
  }
}
