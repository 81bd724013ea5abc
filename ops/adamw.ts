import type {Scalar, Tensor} from '@tensorflow/tfjs-core';
import {assert, assertCount, assertTensor} from '../src/asserts';
import {runKernel} from '../src/kernel';
import {AdamW, type AdamWAttrs, type AdamWInputs} from '../src/kernel_names';

const OP = 'adamW';

export interface AdamWOptions {
  learningRate: number;
  /** How many updates there were, with this one: the moments' bias is corrected by it. */
  step: number;
  /** Default 0.9. */
  beta1?: number;
  /** Default 0.999. */
  beta2?: number;
  /** Default 1e-8. */
  epsilon?: number;
  /** Decoupled: the value shrinks by learningRate * weightDecay of itself. Default 0. */
  weightDecay?: number;
  /**
   * A scalar, float32, that multiplies the gradient: what clips it, and what divides a sum by its terms.
   * Where it is NaN or infinite, nothing changes. It stays on the device. Default 1.
   */
  gradientScale?: Scalar;
}

/**
 * One update of AdamW, in one pass over the parameter, its gradient and both moments, where
 * tf.train.adam takes about twelve.
 *
 * ```js
 * const [value, m, v] = adamW(w, gradient, m0, v0, {learningRate: 1e-3, step: 1, weightDecay: 0.1});
 * ```
 *
 * @param value The parameter, any shape, float32.
 * @param gradient The shape of `value`, float32, as are the moments; they begin at zero.
 * @returns The new value and moments. Not differentiable.
 * @throws If shapes or dtypes differ, a beta is not in [0, 1), or another number is not finite, or is
 *     negative.
 * @see Loshchilov and Hutter, Decoupled Weight Decay Regularization (2019); torch.optim.AdamW, of
 *     whose fused form gradientScale is grad_scale and found_inf
 */
export function adamW<T extends Tensor>(
  value: T,
  gradient: T,
  firstMoment: T,
  secondMoment: T,
  options: AdamWOptions,
): [T, T, T] {
  const {beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0} = options;
  const {learningRate, step, gradientScale} = options;
  assertTensor(OP, 'value', value, {dtype: 'float32'});
  const like = {dtype: 'float32', shape: value.shape};
  assertTensor(OP, 'gradient', gradient, like);
  assertTensor(OP, 'firstMoment', firstMoment, like);
  assertTensor(OP, 'secondMoment', secondMoment, like);
  if (gradientScale != null) {
    assertTensor(OP, 'gradientScale', gradientScale, {dtype: 'float32', shape: []});
  }
  assertCount(OP, 'step', step, {min: 1});
  for (const [name, number] of Object.entries({learningRate, epsilon, weightDecay})) {
    assert(
      Number.isFinite(number) && number >= 0,
      () => `${OP}: ${name} must be a number of at least 0, got ${number}`,
    );
  }
  for (const [name, beta] of Object.entries({beta1, beta2})) {
    assert(beta >= 0 && beta < 1, () => `${OP}: ${name} must be in [0, 1), got ${beta}`);
  }
  return runKernel<AdamWInputs, AdamWAttrs, [T, T, T]>(
    AdamW,
    {
      ...{value, gradient, firstMoment, secondMoment},
      ...(gradientScale != null && {gradientScale}), // The tape accepts no input that is undefined.
    },
    {learningRate, beta1, beta2, epsilon, weightDecay, step},
  );
}
