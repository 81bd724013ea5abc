import {serialization, tidy, type Tensor} from '@tensorflow/tfjs-core';
import {activation} from '../ops/activation';
import {assert, describe} from '../src/asserts';
import type {ActivationName} from '../src/kernel_names';
import {baseClass, isSameIdentifier, registeredClasses} from './registered_classes';

/** An elementwise function: the result has the shape of `x`. */
export type ActivationFunction = (x: Tensor) => Tensor;

/** What an activation is, by tf.layers' identifiers or as a function. */
export type ActivationIdentifier = string | ActivationFunction;

interface RegisteredActivation extends serialization.Serializable {
  apply(x: Tensor): Tensor;
}

/** Those with a kernel of their own. */
const FUSED: Record<string, ActivationName> = {
  gelu_new: 'gelu_new',
  gelu: 'gelu',
  relu: 'relu',
  silu: 'silu',
  swish: 'silu',
};

const SIBLING = 'linear';

/** tf.layers' activations that look at a whole row, and so depend on how the rows lie. */
const OF_ROWS = ['softmax', 'logSoftmax'];

/** The names that registerActivation gave. */
const given = new Set<string>();

/**
 * Gives a function of one's own a name, by which the layers here and tf.layers' own find it, and
 * under which a saved model keeps it.
 *
 * ```js
 * layers.registerActivation('squaredRelu', (x) => tf.square(tf.relu(x)));
 * layers.dMoE({ffnHiddenSize: 256, activationFn: 'squaredRelu'});
 * ```
 *
 * Register it again before loading the model.
 *
 * @param name In camelCase. One that was given here before may be given anew.
 * @param fn Elementwise and differentiable.
 * @throws If the name is not camelCase, since a saved model would not find it again, or is taken by an
 *     activation or class that is not one's own; or if `fn` is not a function.
 */
export function registerActivation(name: string, fn: ActivationFunction) {
  assert(
    /^[a-z][A-Za-z0-9]*$/.test(name),
    () => `registerActivation: name must be in camelCase, got ${describe(name)}`,
  );
  assert(
    typeof fn === 'function',
    () => `registerActivation: fn must be a function, got ${describe(fn)}`,
  );
  if (!given.has(name)) {
    const taken = takenBy(name);
    assert(
      taken == null,
      () => `registerActivation: name must not be taken, got '${name}', and there is '${taken}'`,
    );
    given.add(name);
  }
  const Activation = baseClass(SIBLING) as new () => serialization.Serializable;
  class Registered extends Activation {
    static className = name;
    apply(x: Tensor): Tensor {
      return tidy(() => fn(x));
    }
    override getConfig() {
      return {};
    }
  }
  serialization.registerClass(
    Registered as unknown as Parameters<typeof serialization.registerClass>[0],
  );
}

/** What has the name already: an activation, however it is spelled, or a class of any kind. */
function takenBy(name: string): string | undefined {
  const activations = [...Object.keys(FUSED), ...registeredClasses(SIBLING).keys()];
  return (
    activations.find((other) => isSameIdentifier(other, name)) ??
    [...registeredClasses().keys()].find((other) => other === name)
  );
}

/** The kernel that computes an activation by itself, where there is one. */
export function activationKernel(identifier: ActivationIdentifier): ActivationName | undefined {
  return find(FUSED, identifier);
}

/**
 * The elementwise function that an identifier names.
 *
 * @throws If there is no such activation; the message names the `label` and those there are.
 */
export function resolveActivation(
  identifier: ActivationIdentifier,
  label = 'activation',
): ActivationFunction {
  if (typeof identifier === 'function') {
    return identifier;
  }
  const fused = find(FUSED, identifier);
  if (fused != null) {
    return (x) => activation(x, fused);
  }
  const registered = Object.fromEntries(
    [...registeredClasses(SIBLING)].filter(([name]) => !OF_ROWS.includes(name)),
  );
  const Class = find(registered, identifier);
  assert(Class != null, () => {
    const names = [...new Set([...Object.keys(FUSED), ...Object.keys(registered)])];
    const choices = names.map(describe).join(', ');
    return `${label} must be a function or one of ${choices}, got ${describe(identifier)}`;
  });
  const instance = new Class() as RegisteredActivation;
  return (x) => instance.apply(x);
}

/**
 * The identifier as a saved model keeps it.
 *
 * @throws If it is a function; the message begins with the `label` and says what to do.
 */
export function serializeActivation(identifier: ActivationIdentifier, label: string): string {
  assert(
    typeof identifier === 'string',
    () =>
      `${label} must be a name to be saved, got a function; give it one with registerActivation`,
  );
  return identifier;
}

function find<T>(entries: Record<string, T>, identifier: unknown): T | undefined {
  const name = Object.keys(entries).find(
    (name) => typeof identifier === 'string' && isSameIdentifier(name, identifier),
  );
  return name == null ? undefined : entries[name];
}
