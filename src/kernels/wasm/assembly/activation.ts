// Activations and their derivatives, four elements at a time. The numbers are the order of
// ActivationName in kernel_names.ts.
import {erf4, exp4, sigmoid4, tanh4} from './transcendental';

// @ts-ignore: decorator
@inline
const GELU_NEW = 0;
// @ts-ignore: decorator
@inline
const GELU = 1;
// @ts-ignore: decorator
@inline
const SILU = 2;

// @ts-ignore: decorator
@inline
const SQRT_2_OVER_PI: f32 = 0.7978845608;
// @ts-ignore: decorator
@inline
const CUBIC: f32 = 0.044715;

/** out = f(x). */
export function activation(name: i32, size: i32, x: usize, out: usize): void {
  const whole = (<usize>size & ~3) << 2;
  for (let i: usize = 0; i < whole; i += 16) {
    v128.store(out + i, apply(name, v128.load(x + i)));
  }
  for (let i = whole; i < (<usize>size << 2); i += 4) {
    v128.store_lane<f32>(out + i, apply(name, v128.load_splat<f32>(x + i)), 0);
  }
}

/** out = f'(x) dy. */
export function activationGrad(name: i32, size: i32, x: usize, dy: usize, out: usize): void {
  const whole = (<usize>size & ~3) << 2;
  for (let i: usize = 0; i < whole; i += 16) {
    v128.store(out + i, f32x4.mul(derivative(name, v128.load(x + i)), v128.load(dy + i)));
  }
  for (let i = whole; i < (<usize>size << 2); i += 4) {
    const factor = derivative(name, v128.load_splat<f32>(x + i));
    v128.store_lane<f32>(out + i, f32x4.mul(factor, v128.load_splat<f32>(dy + i)), 0);
  }
}

function apply(name: i32, x: v128): v128 {
  if (name == GELU_NEW) {
    return halfTimes(x, f32x4.add(f32x4.splat(1), tanh4(geluArgument(x))));
  }
  if (name == GELU) {
    return halfTimes(x, f32x4.add(f32x4.splat(1), erf4(f32x4.mul(x, f32x4.splat(0.70710678)))));
  }
  if (name == SILU) {
    return f32x4.mul(x, sigmoid4(x));
  }
  return f32x4.max(x, f32x4.splat(0));
}

function derivative(name: i32, x: v128): v128 {
  const one = f32x4.splat(1);
  const half = f32x4.splat(0.5);
  if (name == GELU_NEW) {
    // 0.5 (1 + t) + 0.5 x (1 - t^2) sqrt(2 / pi) (1 + 3 c x^2)
    const t = tanh4(geluArgument(x));
    // Where it is larger, 1 - t^2 is zero.
    const square = f32x4.min(f32x4.mul(x, x), f32x4.splat(1e12));
    const inner = f32x4.mul(f32x4.splat(SQRT_2_OVER_PI),
      f32x4.add(one, f32x4.mul(f32x4.splat(3 * CUBIC), square)));
    const slope = f32x4.mul(f32x4.mul(x, f32x4.sub(one, f32x4.mul(t, t))), inner);
    return f32x4.mul(half, f32x4.add(f32x4.add(one, t), slope));
  }
  if (name == GELU) {
    // 0.5 (1 + erf(x / sqrt 2)) + x exp(-x^2 / 2) / sqrt(2 pi)
    const density = f32x4.mul(f32x4.splat(0.39894228), exp4(f32x4.mul(f32x4.neg(half), f32x4.mul(x, x))));
    const cumulative = f32x4.mul(half, f32x4.add(one, erf4(f32x4.mul(x, f32x4.splat(0.70710678)))));
    return f32x4.add(cumulative, f32x4.mul(x, density));
  }
  if (name == SILU) {
    // s (1 + x (1 - s))
    const s = sigmoid4(x);
    return f32x4.mul(s, f32x4.add(one, f32x4.mul(x, f32x4.sub(one, s))));
  }
  return v128.bitselect(f32x4.splat(0), one, f32x4.le(x, f32x4.splat(0)));
}

// @ts-ignore: decorator
@inline
function geluArgument(x: v128): v128 {
  const cube = f32x4.mul(f32x4.mul(x, x), x);
  return f32x4.mul(f32x4.splat(SQRT_2_OVER_PI), f32x4.add(x, f32x4.mul(f32x4.splat(CUBIC), cube)));
}

// @ts-ignore: decorator
@inline
function halfTimes(x: v128, factor: v128): v128 {
  return f32x4.mul(f32x4.mul(f32x4.splat(0.5), x), factor);
}
