import * as tf from '@tensorflow/tfjs';
import type {Comparison, Run} from './harness';

// An op and its compositions of tfjs' ops, forward, and forward and backward.

/** A function of the tensors that it is differentiable in. */
export type Differentiable = (...inputs: tf.Tensor[]) => tf.Tensor;

/** Several ways to compute the same function. */
export interface Work extends Pick<Comparison, 'title' | 'shapes'> {
  /** What it is differentiable in, if anything. */
  inputs: tf.Tensor[];
  /** By name; the first is the baseline. */
  contenders: Record<string, Differentiable | Contender>;
}

export interface Contender {
  compute: Differentiable;
  /** What surrounds each run. */
  wrap: (run: Run) => Run;
}

export function forward(work: Work): Comparison {
  const title = work.inputs.length > 0 ? `${work.title}, forward` : work.title;
  return compare(work, title, ({compute}) => compute(...work.inputs));
}

/** Backward to every input, from a random gradient of the output. */
export function forwardAndBackward(
  work: Work,
  normal: (shape: number[], seed: number) => tf.Tensor = (shape, seed) =>
    tf.randomNormal(shape, 0, 1, 'float32', seed),
): Comparison {
  const [first] = Object.values(work.contenders);
  const {shape} = tf.tidy(() => toContender(first).compute(...work.inputs));
  const dy = normal(shape, 99);
  return compare(work, `${work.title}, forward and backward`, ({compute}) =>
    tf.grads(compute)(work.inputs, dy),
  );
}

function compare(
  {shapes, contenders}: Work,
  title: string,
  run: (contender: Contender) => unknown,
): Comparison {
  const runs = Object.entries(contenders).map(([name, value]) => {
    const contender = toContender(value);
    return [name, contender.wrap(() => run(contender))];
  });
  return {
    title,
    shapes,
    contenders: Object.fromEntries(runs),
  };
}

export function toContender(value: Differentiable | Contender): Contender {
  return typeof value === 'function' ? {compute: value, wrap: (run) => run} : value;
}
