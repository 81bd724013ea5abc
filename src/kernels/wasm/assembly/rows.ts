// Sums along one row of floats, and rows added to rows: what the kernels that go row by row share.

/** The sum of the four lanes. */
// @ts-ignore: decorator
@inline
export function horizontalSum(x: v128): f32 {
  return (f32x4.extract_lane(x, 0) + f32x4.extract_lane(x, 1))
    + (f32x4.extract_lane(x, 2) + f32x4.extract_lane(x, 3));
}

/** The largest lane; NaN if one is NaN. */
// @ts-ignore: decorator
@inline
export function horizontalMax(x: v128): f32 {
  return max(max(f32x4.extract_lane(x, 0), f32x4.extract_lane(x, 1)),
    max(f32x4.extract_lane(x, 2), f32x4.extract_lane(x, 3)));
}

/** The largest of `size` floats; NaN if one is NaN. */
export function rowMax(size: i32, x: usize): f32 {
  let largest = f32x4.splat(-Infinity);
  const whole = (<usize>size & ~3) << 2;
  for (let i: usize = 0; i < whole; i += 16) largest = f32x4.max(largest, v128.load(x + i));
  let result = horizontalMax(largest);
  for (let i = whole; i < (<usize>size << 2); i += 4) result = max(result, load<f32>(x + i));
  return result;
}

/** The product of two rows, summed. */
// @ts-ignore: decorator
@inline
export function dot(size: i32, x: usize, y: usize): f32 {
  let sum = f32x4.splat(0);
  const whole = (<usize>size & ~3) << 2;
  for (let i: usize = 0; i < whole; i += 16) {
    sum = f32x4.add(sum, f32x4.mul(v128.load(x + i), v128.load(y + i)));
  }
  let result = horizontalSum(sum);
  for (let i = whole; i < (<usize>size << 2); i += 4) result += load<f32>(x + i) * load<f32>(y + i);
  return result;
}

/** out = factor x. */
// @ts-ignore: decorator
@inline
export function setRow(size: i32, factor: f32, x: usize, out: usize): void {
  const factors = f32x4.splat(factor);
  const whole = (<usize>size & ~3) << 2;
  for (let i: usize = 0; i < whole; i += 16) {
    v128.store(out + i, f32x4.mul(factors, v128.load(x + i)));
  }
  for (let i = whole; i < (<usize>size << 2); i += 4) {
    store<f32>(out + i, factor * load<f32>(x + i));
  }
}

/** out += factor x. */
// @ts-ignore: decorator
@inline
export function addRow(size: i32, factor: f32, x: usize, out: usize): void {
  const factors = f32x4.splat(factor);
  const whole = (<usize>size & ~3) << 2;
  for (let i: usize = 0; i < whole; i += 16) {
    v128.store(out + i, f32x4.add(v128.load(out + i), f32x4.mul(factors, v128.load(x + i))));
  }
  for (let i = whole; i < (<usize>size << 2); i += 4) {
    store<f32>(out + i, load<f32>(out + i) + factor * load<f32>(x + i));
  }
}
