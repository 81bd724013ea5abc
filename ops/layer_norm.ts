import type {Tensor, Tensor1D} from '@tensorflow/tfjs-core';
import {assert, assertTensor} from '../src/asserts';
import {inShape} from '../src/in_shape';
import {runKernel} from '../src/kernel';
import {LayerNorm, type LayerNormAttrs, type LayerNormInputs} from '../src/kernel_names';

/**
 * Layer normalization over the last axis, in one kernel forward and one backward.
 *
 * ```js
 * layerNorm(tf.tensor2d([[1, 3]]), tf.ones([2]), tf.zeros([2])).print();  // [[-1, 1]]
 * ```
 *
 * @param x [..., H], float32.
 * @param gamma The scale, [H], float32.
 * @param beta The shift, [H], float32.
 * @param epsilon Added to the variance, 1e-5 by default.
 * @returns The shape of `x`. Differentiable in `x`, `gamma` and `beta`.
 * @throws If a shape or dtype differs from these, or epsilon is not positive.
 * @see torch.nn.functional.layer_norm
 */
export function layerNorm<T extends Tensor>(
  x: T,
  gamma: Tensor1D,
  beta: Tensor1D,
  epsilon = 1e-5,
): T {
  assertTensor('layerNorm', 'x', x, {dtype: 'float32'});
  assert(x.rank >= 1, () => 'layerNorm: x must have rank 1 or more, got a scalar');
  const size = x.shape[x.rank - 1];
  assertTensor('layerNorm', 'gamma', gamma, {dtype: 'float32', shape: [size]});
  assertTensor('layerNorm', 'beta', beta, {dtype: 'float32', shape: [size]});
  assert(epsilon > 0, () => `layerNorm: epsilon must be positive, got ${epsilon}`);
  const numRows = x.shape.slice(0, -1).reduce((a, b) => a * b, 1);
  const rows = runKernel<LayerNormInputs, LayerNormAttrs>(
    LayerNorm,
    {x: inShape(x, [numRows, size]), gamma, beta},
    {epsilon},
  );
  return inShape(rows, x.shape) as T;
}
