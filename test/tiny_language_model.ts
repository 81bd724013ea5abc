import * as tf from '@tensorflow/tfjs';
import {sparseSoftmaxCrossEntropyLoss} from '../ops/sparse_softmax_cross_entropy';

/** The sizes of `tinyLanguageModel`. */
export const TINY = {vocabSize: 13, sequenceLength: 6};

/** A model of one hidden layer, ids [B, T] to logits [B, T, V]: what training needs, and no more. */
export function tinyLanguageModel({seed = 1, hidden = 8} = {}): tf.LayersModel {
  const {vocabSize, sequenceLength} = TINY;
  const kernel = (i: number) => tf.initializers.glorotUniform({seed: 10 * seed + i});
  const input = tf.input({shape: [sequenceLength], dtype: 'int32'});
  let x = new OneHot({name: 'one_hot', units: vocabSize}).apply(input) as tf.SymbolicTensor;
  x = tf.layers
    .dense({name: 'hidden', units: hidden, activation: 'tanh', kernelInitializer: kernel(0)})
    .apply(x) as tf.SymbolicTensor;
  x = tf.layers
    .dense({name: 'logits', units: vocabSize, kernelInitializer: kernel(1)})
    .apply(x) as tf.SymbolicTensor;
  return tf.model({inputs: input, outputs: x});
}

export const tinyLoss = sparseSoftmaxCrossEntropyLoss;

/** Ids that follow a rule, with some noise: each is mostly the one before plus one. */
export function tinyIds(size: number): Int32Array {
  let id = 0;
  return Int32Array.from({length: size}, (_, i) => {
    id = (id + (i % 7 === 3 ? 5 : 1)) % TINY.vocabSize;
    return id;
  });
}

class OneHot extends tf.layers.Layer {
  static className = 'TestOneHot';

  constructor(private readonly config: {name: string; units: number}) {
    super(config);
  }

  override computeOutputShape(shape: tf.Shape): tf.Shape {
    return [...shape, this.config.units];
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.cast(tf.oneHot(tf.cast([inputs].flat()[0], 'int32'), this.config.units), 'float32');
  }
}
