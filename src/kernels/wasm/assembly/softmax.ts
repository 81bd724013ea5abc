// Exponentials of rows: softmax, and what cross-entropy takes of it.
import {horizontalSum, rowMax} from './rows';
import {exp4} from './transcendental';

/** out = factor exp(x - shift); returns the sum of the exponentials. `out` may be x. */
// @ts-ignore: decorator
@inline
function exponentials(size: i32, x: usize, shift: f32, factor: f32, out: usize): f32 {
  const whole = (<usize>size & ~3) << 2;
  const shifts = f32x4.splat(shift), factors = f32x4.splat(factor);
  let sums = f32x4.splat(0);
  for (let i: usize = 0; i < whole; i += 16) {
    const e = exp4(f32x4.sub(v128.load(x + i), shifts));
    sums = f32x4.add(sums, e);
    v128.store(out + i, f32x4.mul(e, factors));
  }
  let sum = horizontalSum(sums);
  for (let i = whole; i < (<usize>size << 2); i += 4) {
    const e = exp4(f32x4.sub(v128.load_splat<f32>(x + i), shifts));
    sum += f32x4.extract_lane(e, 0);
    v128.store_lane<f32>(out + i, f32x4.mul(e, factors), 0);
  }
  return sum;
}

/** The sum of exp(x - shift) over a row. */
// @ts-ignore: decorator
@inline
function sumOfExponentials(size: i32, x: usize, shift: f32): f32 {
  const whole = (<usize>size & ~3) << 2;
  const shifts = f32x4.splat(shift);
  let sums = f32x4.splat(0);
  for (let i: usize = 0; i < whole; i += 16) {
    sums = f32x4.add(sums, exp4(f32x4.sub(v128.load(x + i), shifts)));
  }
  let sum = horizontalSum(sums);
  for (let i = whole; i < (<usize>size << 2); i += 4) {
    sum += f32x4.extract_lane(exp4(f32x4.sub(v128.load_splat<f32>(x + i), shifts)), 0);
  }
  return sum;
}

/** For each row: the sum of exp(x - largest), and the largest. */
export function softmaxSums(rows: i32, size: i32, x: usize, sums: usize, largest: usize): void {
  for (let row = 0; row < rows; row++) {
    const shift = rowMax(size, x);
    store<f32>(largest, shift);
    store<f32>(sums, sumOfExponentials(size, x, shift));
    x += <usize>size << 2; sums += 4; largest += 4;
  }
}

/** out = factor exp(x - shift), with one factor and one shift a row. */
export function scaledExponentials(
  rows: i32, size: i32, x: usize, shifts: usize, factors: usize, out: usize,
): void {
  for (let row = 0; row < rows; row++) {
    exponentials(size, x, load<f32>(shifts), load<f32>(factors), out);
    x += <usize>size << 2; out += <usize>size << 2; shifts += 4; factors += 4;
  }
}

/**
 * Softmax in place of `rows` rows of scores, `stride` apart; row i is position firstPosition + i and
 * sees that many positions and itself: the rest becomes zero. Scores are multiplied by `scale` first.
 */
export function causalSoftmax(
  rows: i32, stride: i32, firstPosition: i32, scale: f32, scores: usize,
): void {
  for (let row = 0; row < rows; row++) {
    const seen = firstPosition + row + 1;
    scaleInPlace(seen, scale, scores);
    const sum = exponentials(seen, scores, rowMax(seen, scores), 1, scores);
    scaleInPlace(seen, 1 / sum, scores);
    memory.fill(scores + (<usize>seen << 2), 0, <usize>(stride - seen) << 2);
    scores += <usize>stride << 2;
  }
}

// @ts-ignore: decorator
@inline
function scaleInPlace(size: i32, factor: f32, x: usize): void {
  const whole = (<usize>size & ~3) << 2;
  const factors = f32x4.splat(factor);
  for (let i: usize = 0; i < whole; i += 16) v128.store(x + i, f32x4.mul(v128.load(x + i), factors));
  for (let i = whole; i < (<usize>size << 2); i += 4) store<f32>(x + i, load<f32>(x + i) * factor);
}

/** The gradient through causalSoftmax, in place of dp: scale p (dp - sum(p dp)), row by row. */
export function causalSoftmaxGrad(
  rows: i32, stride: i32, firstPosition: i32, scale: f32, p: usize, dp: usize,
): void {
  for (let row = 0; row < rows; row++) {
    const seen = firstPosition + row + 1;
    const whole = (<usize>seen & ~3) << 2, end = <usize>seen << 2;
    let sums = f32x4.splat(0);
    for (let i: usize = 0; i < whole; i += 16) {
      sums = f32x4.add(sums, f32x4.mul(v128.load(p + i), v128.load(dp + i)));
    }
    let sum = horizontalSum(sums);
    for (let i = whole; i < end; i += 4) sum += load<f32>(p + i) * load<f32>(dp + i);
    const shifts = f32x4.splat(sum), scales = f32x4.splat(scale);
    for (let i: usize = 0; i < whole; i += 16) {
      v128.store(dp + i, f32x4.mul(scales,
        f32x4.mul(v128.load(p + i), f32x4.sub(v128.load(dp + i), shifts))));
    }
    for (let i = whole; i < end; i += 4) {
      store<f32>(dp + i, scale * load<f32>(p + i) * (load<f32>(dp + i) - sum));
    }
    memory.fill(dp + end, 0, <usize>(stride - seen) << 2);
    p += <usize>stride << 2; dp += <usize>stride << 2;
  }
}
