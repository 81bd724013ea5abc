import type {Scalar, Tensor} from '@tensorflow/tfjs-core';
import {
  type LayersModel,
  model as functionalModel,
  type SymbolicTensor,
} from '@tensorflow/tfjs-layers';
import {beforeLogits, Logits} from '../layers/logits';
import {ReversibleEmbedding} from '../layers/reversible_embedding';
import {linearCrossEntropyLoss} from '../ops/linear_cross_entropy';
import {assert} from '../src/asserts';

/**
 * A language model in the form in which it trains without holding its logits: its layers up to the last
 * hidden states, and the loss that turns those into logits some rows at a time. The weights are shared
 * with the model, so training one trains the other, and disposing of one frees both.
 *
 * ```js
 * const model = languageModel({...});
 * const {model: trained, loss} = withLinearCrossEntropy(model);
 * trained.compile({optimizer: 'adam', loss});
 * await trained.fit(ids, targets);  // [batch, T] int32 and [batch, T, 1]
 * await generate(model, prompt);
 * ```
 *
 * @param model Of `languageModel`, or any other functional model that ends with
 *     `layers.reversibleEmbedding`, with or without `layers.logits` after it.
 * @param options `maxLogitsBytes`: as of `linearCrossEntropyLoss`.
 * @returns `model`: token ids [batch, T], int32, to hidden states [batch, T, H]. `loss`: targets
 *     [batch, T, 1] and hidden states to their mean cross-entropy.
 * @throws If the model ends with other layers.
 */
export function withLinearCrossEntropy(
  model: LayersModel,
  options: {maxLogitsBytes?: number} = {},
): {model: LayersModel; loss: (targets: Tensor, hidden: Tensor) => Scalar} {
  const logits = beforeLogits(model.outputs[0]);
  const {sourceLayer: tokens} = logits;
  assert(
    model.outputs.length === 1 && tokens instanceof ReversibleEmbedding,
    () =>
      'withLinearCrossEntropy: model must have one output, of a reversibleEmbedding layer, got ' +
      model.outputs.map(({sourceLayer}) => sourceLayer.getClassName()).join(' and '),
  );
  assert(
    logits.inputs[0].dtype === 'float32',
    () => 'withLinearCrossEntropy: model must end with logits, got the embeddings of ids',
  );
  // To tf.layers the last axis is of any size, or it would demand targets of the size H.
  const hidden = new Logits({}).apply(logits.inputs[0]) as SymbolicTensor;
  return {
    model: functionalModel({inputs: model.inputs, outputs: hidden, name: model.name}),
    loss: (targets, hidden) => linearCrossEntropyLoss(targets, hidden, tokens.getTable(), options),
  };
}
