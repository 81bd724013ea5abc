import * as tf from '@tensorflow/tfjs';
import {type BackendName, describeEachBackend} from '../backends';
import {random} from '../random';
import {randomInts} from '../routing';
import {toleranceFloor} from '../settings';
import {withGradients} from '../with_gradients';

// Random cases that a GPU and cpu compute alike: the same numbers go in, and what comes out is compared.

/** What a case computes, by name. */
export type Results = Record<string, tf.Tensor>;

export interface RandomCase {
  /** Its sizes, for the title. */
  sizes: Record<string, unknown>;
  /** Computes on the backend in use. */
  run: () => Results;
  /** Relative to the largest magnitude of a result; 0 demands equality. */
  tolerance?: number;
  /**
   * The least that the tolerance is relative to: how large a result would be if its terms did not happen to
   * cancel each other out.
   */
  scale?: number;
  /** Compares only where cpu gives what is not finite. */
  onlyNotFinite?: boolean;
}

const {MEGABLOCKS_RANDOM_CASES = '200', MEGABLOCKS_RANDOM_SEED = '1'} = process.env;

/** How many cases a family has. */
const CASES = Number(MEGABLOCKS_RANDOM_CASES);
const SEED = Number(MEGABLOCKS_RANDOM_SEED);

/** Choices that are the same for the same seed. */
export class Choices {
  private drawn = 0;

  constructor(private readonly seed: number) {}

  /** In [0, 1). */
  fraction(): number {
    return (random(1, this.seed + 7919 * ++this.drawn)[0] + 1) / 2;
  }

  /** An integer from `min` to `max`, both possible. */
  integer(min: number, max: number): number {
    return min + Math.floor(this.fraction() * (max - min + 1));
  }

  /** A size from 1 to `max`: as often small as large, and as often a multiple of 4 as not. */
  size(max: number): number {
    const size = Math.max(1, Math.round(max ** this.fraction()));
    return this.yes() ? Math.min(Math.ceil(size / 4) * 4, Math.max(1, max - (max % 4))) : size;
  }

  yes(): boolean {
    return this.fraction() < 0.5;
  }

  of<T>(...choices: readonly T[]): T {
    return choices[this.integer(0, choices.length - 1)];
  }
}

/** What is done with the numbers of a tensor before it is made. */
export type Change = (values: Float32Array) => Float32Array;

/** Numbers in [-1, 1), the same wherever the seed is. */
export function numbers<T extends tf.Tensor>(
  shape: readonly number[],
  seed: number,
  change: Change = (values) => values,
): T {
  return tf.tensor(change(random(tf.util.sizeFromShape([...shape]), seed)), [...shape]) as T;
}

/** Integers from `min` up to `max`, exclusive. */
export function integers<T extends tf.Tensor>(
  shape: readonly number[],
  min: number,
  max: number,
  seed: number,
): T {
  const values = Int32Array.from(randomInts(tf.util.sizeFromShape([...shape]), min, max, seed));
  return tf.tensor(values, [...shape], 'int32') as T;
}

/** The value of `f` and the gradients of its inputs, under the names of those. */
export function valueAndGradients(
  f: (...xs: tf.Tensor[]) => tf.Tensor,
  inputs: Record<string, tf.Tensor>,
): Results {
  const [y, ...grads] = withGradients(f, ...Object.values(inputs));
  const gradients = Object.keys(inputs).map((name, i) => [`the gradient of ${name}`, grads[i]]);
  return {y, ...(Object.fromEntries(gradients) as Results)};
}

/** Declares the random cases of a family of kernels, and some that are large or otherwise special. */
export function family(
  name: string,
  make: (choose: Choices) => RandomCase,
  {
    special = [],
    hooks,
    backends = ['tensorflow', 'webgpu'],
  }: {
    special?: readonly RandomCase[];
    hooks?: () => void;
    backends?: readonly BackendName[];
  } = {},
) {
  const seedOfName = [...name].reduce((seed, letter) => 31 * seed + letter.charCodeAt(0), SEED);
  const cases = Array.from({length: CASES}, (_, i) => make(new Choices(seedOfName + 104729 * i)));
  describeEachBackend(
    `random shapes of ${name}`,
    (backendName) => {
      // Leaks are not what is looked for, and tfjs takes what is saved for the backward pass for one.
      beforeAll(() => tf.env().set('IS_TEST', false));
      hooks?.();
      [...special, ...cases].forEach((one, i) =>
        test(`${i} ${JSON.stringify(one.sizes)}`, () => expectAsOnCpu(one, backendName)),
      );
    },
    backends,
  );
}

async function expectAsOnCpu(one: RandomCase, backendName: BackendName) {
  const {run} = one;
  const wanted = await computeOn('cpu', run);
  const got = await computeOn(backendName, run);
  expect(Object.keys(got)).toEqual(Object.keys(wanted));
  for (const [name, {shape, dtype, values}] of Object.entries(got)) {
    const reference = wanted[name];
    expect({[name]: {shape, dtype}}).toEqual({
      [name]: {shape: reference.shape, dtype: reference.dtype},
    });
    expectValues(name, values, reference.values, one);
  }
}

type Values = Float32Array | Int32Array | Uint8Array;

async function computeOn(backendName: string, run: () => Results) {
  const before = tf.getBackend();
  await tf.setBackend(backendName);
  try {
    const results = tf.tidy(() => {
      const entries = Object.entries(run());
      // Not those that were there before, as an input may be.
      return Object.fromEntries(entries.map(([name, x]) => [name, tf.clone(x)]));
    });
    const read: Record<string, {shape: number[]; dtype: string; values: Values}> = {};
    for (const [name, tensor] of Object.entries(results)) {
      read[name] = {
        shape: tensor.shape,
        dtype: tensor.dtype,
        values: (await tensor.data()) as Values,
      };
    }
    tf.dispose(results);
    return read;
  } finally {
    await tf.setBackend(before);
  }
}

function expectValues(
  name: string,
  got: Values,
  wanted: Values,
  {tolerance = 1e-5, scale: leastScale = 0, onlyNotFinite = false}: RandomCase,
) {
  let scale = leastScale;
  for (const value of wanted) {
    if (Number.isFinite(value)) {
      scale = Math.max(scale, Math.abs(value));
    }
  }
  const allowed = tolerance === 0 ? 0 : scale * Math.max(tolerance, toleranceFloor);
  let wrong = 0;
  let first = -1;
  for (let i = 0; i < wanted.length; i++) {
    // What is not finite may be so in another way: one sum overflows where another is NaN.
    const same = Number.isFinite(wanted[i])
      ? onlyNotFinite || Math.abs(got[i] - wanted[i]) <= allowed
      : !Number.isFinite(got[i]);
    if (!same) {
      wrong++;
      first = first < 0 ? i : first;
    }
  }
  if (wrong > 0) {
    throw new Error(
      `${name}: ${wrong} of ${wanted.length} differ, first [${first}]: expected ${wanted[first]}, ` +
        `got ${got[first]} (largest magnitude ${scale}, tolerance ${allowed / scale})`,
    );
  }
}
