import {serialization} from '@tensorflow/tfjs-core';

type RegisteredClass = serialization.SerializableConstructor<serialization.Serializable>;

/**
 * The classes registered with tf.serialization, by name: all of them, or those that share the base
 * class of `sibling`. It is how this package reaches tf.layers' own activations and initializers,
 * which it does not export.
 */
export function registeredClasses(sibling?: string): Map<string, RegisteredClass> {
  const {classNameMap} = serialization.SerializationMap.getMap();
  const base = sibling == null ? Object : baseClass(sibling);
  return new Map(
    Object.entries(classNameMap)
      .filter(([, [registered]]) => registered.prototype instanceof base)
      .map(([name, [registered]]) => [name, registered]),
  );
}

/** The base class of a registered class. */
export function baseClass(sibling: string): RegisteredClass {
  const {classNameMap} = serialization.SerializationMap.getMap();
  return Object.getPrototypeOf(classNameMap[sibling][0]) as RegisteredClass;
}

/**
 * Whether two identifiers are spellings of one. Saving a model turns its strings into snake_case and
 * loading it turns them into camelCase, so that 'gelu_new' comes back as 'geluNew'.
 */
export function isSameIdentifier(a: string, b: string): boolean {
  return plain(a) === plain(b);
}

function plain(identifier: string): string {
  return identifier.replaceAll('_', '').toLowerCase();
}
