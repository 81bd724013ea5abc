import {engine, getKernel, type Tensor, type TensorInfo} from '@tensorflow/tfjs-core';

// One voice for every error: `op: argument must be ..., got ...`.

/** Throws `message()` unless `condition` holds. The message is only built when it is needed. */
export function assert(condition: boolean, message: () => string): asserts condition {
  if (!condition) {
    throw new Error(message());
  }
}

/** Checks the rank, dtype and shape of a tensor argument; a null in `shape` fits any size. */
export function assertTensor(
  op: string,
  name: string,
  x: Tensor | TensorInfo | undefined | null,
  {rank, dtype, shape}: {rank?: number; dtype?: string; shape?: readonly (number | null)[]} = {},
) {
  assert(x?.shape != null, () => `${op}: ${name} must be a tensor, got ${describe(x)}`);
  assert(
    rank == null || x.shape.length === rank,
    () => `${op}: ${name} must have rank ${rank}, got shape [${x.shape}]`,
  );
  assert(
    shape == null ||
      (x.shape.length === shape.length &&
        shape.every((size, axis) => size == null || size === x.shape[axis])),
    () => `${op}: ${name} must have shape [${shape?.map((size) => size ?? '*')}], got [${x.shape}]`,
  );
  assert(
    dtype == null || x.dtype === dtype,
    () => `${op}: ${name} must be ${dtype}, got ${x.dtype}`,
  );
}

/** Checks a vector or a batch of vectors. */
export function assertVectors(
  op: string,
  name: string,
  x: Tensor | undefined | null,
  {dtype}: {dtype?: string} = {},
) {
  assertTensor(op, name, x, {dtype});
  assert(
    x?.rank === 1 || x?.rank === 2,
    () => `${op}: ${name} must have rank 1 or 2, got shape [${x?.shape}]`,
  );
}

/** Checks cumulative counts: int32, one entry a bin. */
export function assertBins(op: string, bins: Tensor, numBins?: number, name = 'bins') {
  assertTensor(op, name, bins, {rank: 1, dtype: 'int32'});
  assert(
    numBins == null || bins.size === numBins,
    () => `${op}: ${name} must have one entry an element, ${numBins}, got ${bins.size}`,
  );
}

/** A shape as messages show it, of which sizes may not be known. */
export function showShape(shape: readonly (number | null)[]): string {
  return `[${shape.map(String)}]`;
}

/** Checks an integer argument against its bounds, both inclusive. */
export function assertCount(
  op: string,
  name: string,
  value: unknown,
  {min, max}: {min: number; max?: number},
) {
  const range = max == null ? `of at least ${min}` : `from ${min} to ${max}`;
  assert(
    typeof value === 'number' &&
      Number.isInteger(value) &&
      value >= min &&
      (max == null || value <= max),
    () => `${op}: ${name} must be an integer ${range}, got ${describe(value)}`,
  );
}

/** Checks the most that there may be of something: an integer of at least 1, or Infinity. */
export function assertLimit(op: string, name: string, value: unknown) {
  if (value !== Infinity) {
    assertCount(op, name, value, {min: 1});
  }
}

/** The largest int32: no index and no size may exceed it. */
export const MAX_INT32 = 2 ** 31 - 1;

/** Checks that the elements of a tensor can be counted in int32. */
export function assertIndexable(op: string, name: string, shape: readonly number[]) {
  assert(
    shape.reduce((a, b) => a * b, 1) <= MAX_INT32,
    () => `${op}: ${name} must have at most ${MAX_INT32} elements, got shape [${shape}]`,
  );
}

/** Checks an argument that is one of a few words. */
export function assertOneOf(op: string, name: string, value: unknown, choices: readonly string[]) {
  assert(
    typeof value === 'string' && choices.includes(value),
    () =>
      `${op}: ${name} must be one of ${choices.map((c) => `'${c}'`).join(', ')}, got ${describe(value)}`,
  );
}

/** Checks that the backend in use has a kernel, and says which backends do when it has not. */
export function assertKernelExists(kernelName: string) {
  // Reading the backend initialises it where nothing has run yet, as tfjs' own ops do.
  const backendName = engine().backend && engine().backendName;
  if (getKernel(kernelName, backendName) == null) {
    const others = engine()
      .backendNames()
      .filter((name) => getKernel(kernelName, name) != null);
    throw new Error(
      `${kernelName}: the '${backendName}' backend has no such kernel; ` +
        (others.length > 0
          ? `these have it: ${others.join(', ')}`
          : "no backend in use has it; importing 'tfjs-megablocks' registers those of all backends"),
    );
  }
}

/** Checks a finite number against its bounds, both inclusive. */
export function assertNumber(
  op: string,
  name: string,
  value: unknown,
  {min, max}: {min: number; max?: number},
) {
  const range = max == null ? `of at least ${min}` : `from ${min} to ${max}`;
  assert(
    typeof value === 'number' &&
      Number.isFinite(value) &&
      value >= min &&
      (max == null || value <= max),
    () => `${op}: ${name} must be a number ${range}, got ${describe(value)}`,
  );
}

/** Checks an argument that is true or false. */
export function assertBoolean(op: string, name: string, value: unknown) {
  assert(
    typeof value === 'boolean',
    () => `${op}: ${name} must be true or false, got ${describe(value)}`,
  );
}

/** How an error shows the value that came. */
export function describe(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : String(value);
}
