import {serialization, type Tensor} from '@tensorflow/tfjs-core';
import {layers, type Shape, type SymbolicTensor} from '@tensorflow/tfjs-layers';
import {onlyInput} from './only_input';

/**
 * Ends a model that gives logits, [..., V], so that `fit` and `evaluate` take integer targets of
 * [..., 1] with `sparseSoftmaxCrossEntropyLoss`. It returns its input; to tf.layers its last axis is
 * of any size, which tf.layers would otherwise demand of the targets too.
 */
export class Logits extends layers.Layer {
  /** @nocollapse */
  static className = 'MegaBlocksLogits';

  override call(inputs: Tensor | Tensor[]): Tensor {
    return onlyInput('logits', inputs);
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    return [...(inputShape as Shape).slice(0, -1), null];
  }
}
serialization.registerClass(Logits);

/** An output of a model, whose last axis has a size also where the model ends with `Logits`. */
export function beforeLogits(output: SymbolicTensor): SymbolicTensor {
  return output.sourceLayer instanceof Logits ? output.inputs[0] : output;
}
