import {dispose, type Optimizer, type Tensor} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import type {BatchDataset} from './training_data';

/** A loss: labels [B, T, 1] and logits [B, T, V] to a scalar. */
export type Loss = (labels: Tensor, logits: Tensor) => Tensor;

/** Makes `fitDataset` and `evaluateDataset` compute the cross-entropy, and nothing twice. */
export function compileLanguageModel(model: LayersModel, optimizer: Optimizer, loss: Loss) {
  // The loss that is logged has the router's losses in it, the metric has not. tf.layers asks for
  // both from the same logits, one after the other.
  let last: {logits: Tensor; value: Tensor} | undefined;
  const crossEntropy = (labels: Tensor, logits: Tensor) => {
    if (last?.logits !== logits) {
      last = {logits, value: loss(labels, logits)};
    }
    return last.value;
  };
  // What logs call the metric; minifiers rename functions.
  Object.defineProperty(crossEntropy, 'name', {value: 'crossEntropy'});
  model.compile({optimizer, loss: crossEntropy, metrics: [crossEntropy]});
}

/** The mean cross-entropy of a compiled language model over a data set, in nats a token. */
export async function evaluateLanguageModel(
  model: LayersModel,
  batches: BatchDataset,
): Promise<number> {
  const losses = [await model.evaluateDataset(batches)].flat();
  const [loss] = await losses[0].data();
  dispose(losses);
  return loss;
}
