import type {Tensor} from '@tensorflow/tfjs-core';
import {assertOneOf, assertTensor} from '../src/asserts';
import {runKernel} from '../src/kernel';
import {
  Activation,
  ACTIVATION_NAMES,
  type ActivationAttrs,
  type ActivationInputs,
  type ActivationName,
} from '../src/kernel_names';

/**
 * An activation function in one kernel, forward and backward, where tf.layers' takes up to nine.
 *
 * ```js
 * activation(tf.tensor1d([-1, 0, 1]), 'gelu_new').print();  // -0.1588, 0, 0.8412
 * ```
 *
 * @param x Any shape, float32.
 * @param name By tf.layers' identifier: `'gelu_new'` (the tanh form, MegaBlocks' default), `'gelu'`
 *     (exact, by an erf to 1.5e-7), `'silu'` or `'relu'`.
 * @returns The shape of `x`. Differentiable in `x`.
 * @throws If the name is another, or `x` is not float32.
 * @see megablocks.layers.gelu
 */
export function activation<T extends Tensor>(x: T, name: ActivationName): T {
  assertTensor('activation', 'x', x, {dtype: 'float32'});
  assertOneOf('activation', 'name', name, ACTIVATION_NAMES);
  return runKernel<ActivationInputs, ActivationAttrs, T>(Activation, {x}, {activation: name});
}
