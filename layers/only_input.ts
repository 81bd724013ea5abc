import type {Tensor} from '@tensorflow/tfjs-core';
import type {Shape, SymbolicTensor} from '@tensorflow/tfjs-layers';
import {assert, showShape} from '../src/asserts';

/** What tf.layers hands to a layer before it builds or calls it: values, or what stands for them. */
export type LayerInputs = Tensor | SymbolicTensor | (Tensor | SymbolicTensor)[];

/** The one tensor that a layer takes; tf.layers hands it over alone or in an array. */
export function onlyInput<T extends Tensor | SymbolicTensor>(layer: string, inputs: T | T[]): T {
  assert(
    !Array.isArray(inputs) || inputs.length === 1,
    () => `${layer}: inputs must be one tensor, got ${(inputs as T[]).length}`,
  );
  return Array.isArray(inputs) ? inputs[0] : inputs;
}

/** Checks the shape of the one input of a layer; `wanted` says in words what `isRight` asks for. */
export function assertInputShape(
  layer: string,
  inputs: LayerInputs,
  wanted: string,
  isRight: (shape: Shape) => boolean,
) {
  const shape: Shape = onlyInput(layer, inputs).shape;
  assert(
    isRight(shape),
    () => `${layer}: inputs must have ${wanted}, got shape ${showShape(shape)}`,
  );
}
