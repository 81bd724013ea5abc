import {type serialization, type Tensor, type Tensor2D, tidy} from '@tensorflow/tfjs-core';
import {initializers} from '@tensorflow/tfjs-layers';
import {assert, describe} from '../src/asserts';
import {isSameIdentifier, registeredClasses} from './registered_classes';

/** tf.layers' Initializer, which it does not export by name. */
export type Initializer = ReturnType<typeof initializers.ones>;

/** What an initializer is: an instance, a name, or the config of a saved one. */
export type InitializerIdentifier = string | Initializer | SerializedInitializer;

/** An initializer as a saved model keeps it. */
export interface SerializedInitializer {
  className: string;
  config: serialization.ConfigDict;
}

/** MegaBlocks' rule for the router and the experts: normal(0, 0.02). */
export function defaultInitializer(seed?: number): Initializer {
  return initializers.randomNormal({mean: 0, stddev: 0.02, seed});
}

/** PyTorch's rule for a linear layer's weight, [out, in], and bias: uniform within 1 / sqrt(in). */
export function linearInitializer(inFeatures: number, seed?: number): Initializer {
  const bound = 1 / Math.sqrt(inFeatures);
  return initializers.randomUniform({minval: -bound, maxval: bound, seed});
}

/**
 * The initializer that an identifier names.
 *
 * @throws If there is no such initializer; the message names the `label` and those there are.
 */
export function resolveInitializer(
  identifier: InitializerIdentifier,
  label = 'initializer',
): Initializer {
  if (typeof identifier === 'object' && 'apply' in identifier) {
    return identifier;
  }
  const isName = typeof identifier === 'string';
  const className = isName ? identifier : identifier.className;
  const known = registeredClasses('Zeros');
  const Class = isName
    ? [...known].find(([name]) => isSameIdentifier(name, className))?.[1]
    : // A saved one may be of the user's own, which need not share the base class of tf.layers'.
      registeredClasses().get(className);
  assert(Class != null, () => {
    const choices = [...known.keys()].map(describe).join(', ');
    return `${label} must be an initializer or one of ${choices}, got ${describe(className)}`;
  });
  return new Class(isName ? {} : identifier.config) as Initializer;
}

/** What `resolveInitializer` makes the same initializer of, in the form that a saved model keeps. */
export function serializeInitializer(
  identifier: InitializerIdentifier | null,
): serialization.ConfigDict | string | null {
  if (identifier == null || typeof identifier === 'string') {
    return identifier;
  }
  if ('apply' in identifier) {
    return {className: identifier.getClassName(), config: identifier.getConfig()};
  }
  return {...identifier};
}

/** Weights of one layer, each of which draws a stream of random numbers of its own. */
const STREAMS = 16;

/**
 * The seed of one of a layer's streams. No two streams of layers with different integer seeds meet,
 * and none is 0, which tfjs takes for no seed.
 */
export function streamSeed(seed: number, stream: number): number {
  return seed * STREAMS + stream + 1;
}

/**
 * The same distribution from a stream of its own, where the initializer has a seed: one initializer
 * serves several weights, and w1 and v1 must not come out equal.
 */
export function forStream(initializer: Initializer, stream: number): Initializer {
  const config = initializer.getConfig();
  if (typeof config.seed !== 'number') {
    return initializer;
  }
  const Class = initializer.constructor as new (config: serialization.ConfigDict) => Initializer;
  return new Class({...config, seed: streamSeed(config.seed, stream)});
}

/** Draws a weight in one shape and lays it out in another. */
export function arranged(
  initializer: Initializer,
  shape: [number, number],
  arrange: (drawn: Tensor2D) => Tensor,
): Initializer {
  const apply = () => tidy(() => arrange(initializer.apply(shape) as Tensor2D));
  return {apply} as unknown as Initializer;
}
