import type {Tensor} from '@tensorflow/tfjs';
import {withValues} from './deferred';
import {toleranceFloor} from './settings';

// Looking a global up takes Jest 200 ns, which adds up over the elements of a tensor.
const {abs, max} = Math;
const {isFinite} = Number;
const {is} = Object;

/**
 * Fails unless `actual` has the shape and values of `expected`. The tolerance is relative to the
 * largest magnitude of `expected`, or to `magnitude` where that is larger, which is how float32 sums
 * round; 0 demands equality.
 */
export function expectClose(
  actual: Tensor,
  expected: ArrayLike<number> | Tensor,
  {
    tolerance = 1e-5,
    magnitude = 0,
    shape,
    name = 'tensor',
  }: {tolerance?: number; magnitude?: number; shape?: readonly number[]; name?: string} = {},
) {
  const expectedTensor = 'dataId' in expected ? expected : undefined;
  const wantedShape = shape ?? expectedTensor?.shape;
  if (wantedShape != null) {
    expect({[name]: actual.shape}).toEqual({[name]: [...wantedShape]});
  }
  withValues([actual, ...(expectedTensor ? [expectedTensor] : [])], (got, wanted) =>
    expectCloseValues(
      got,
      wanted ?? (expected as ArrayLike<number>),
      atLeastFloor(tolerance),
      magnitude,
      name,
    ),
  );
}

function atLeastFloor(tolerance: number): number {
  return tolerance === 0 ? 0 : max(tolerance, toleranceFloor);
}

function expectCloseValues(
  got: ArrayLike<number>,
  wanted: ArrayLike<number>,
  tolerance: number,
  magnitude: number,
  name: string,
) {
  expect({[name]: got.length}).toEqual({[name]: wanted.length});
  let scale = magnitude;
  for (let i = 0; i < wanted.length; i++) {
    if (isFinite(wanted[i])) {
      scale = max(scale, abs(wanted[i]));
    }
  }
  for (let i = 0; i < wanted.length; i++) {
    const same = is(got[i], wanted[i]) || abs(got[i] - wanted[i]) <= tolerance * scale;
    if (!same) {
      throw new Error(
        `${name}[${i}]: expected ${wanted[i]}, got ${got[i]} (largest magnitude ${scale}, tolerance ${tolerance})`,
      );
    }
  }
}
