import {dispose, type Optimizer, type Tensor} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import type {BatchDataset} from './training_data';

/** A loss: labels [B, T, 1] and a model's output, such as logits [B, T, V], to a scalar. */
export type Loss = (labels: Tensor, output: Tensor) => Tensor;

/** Makes `fitDataset` and `evaluateDataset` compute the cross-entropy, and nothing twice. */
export function compileLanguageModel(model: LayersModel, optimizer: Optimizer, loss: Loss) {
  // The loss that is logged has the router's losses in it, the metric has not. tf.layers asks for
  // both from the same output, one after the other.
  let last: {output: Tensor; value: Tensor} | undefined;
  const crossEntropy = (labels: Tensor, output: Tensor) => {
    if (last?.output !== output) {
      last = {output, value: loss(labels, output)};
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
