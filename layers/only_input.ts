import type {Tensor} from '@tensorflow/tfjs-core';
import {assert} from '../src/asserts';

/** The one tensor that a layer takes; tf.layers hands it over alone or in an array. */
export function onlyInput<T extends Tensor>(layer: string, inputs: Tensor | Tensor[]): T {
  assert(
    !Array.isArray(inputs) || inputs.length === 1,
    () => `${layer}: inputs must be one tensor, got ${(inputs as Tensor[]).length}`,
  );
  return (Array.isArray(inputs) ? inputs[0] : inputs) as T;
}
