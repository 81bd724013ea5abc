import type {ActivationName} from '../../kernel_names';
import {type FloatType, isNan} from './float_wgsl';

// The activations in WGSL, each function whole, so that any program can have the ones it needs. The
// forms are chosen so that nothing overflows and little cancels: the argument of exp is clamped to
// where both exp(x) and exp(-x) are normal, and where that changes the result, it is zero or x.

interface WgslFunction {
  /** Statements over `x`, of the type T. */
  body: (T: FloatType) => string;
  /** An expression over what the body declares. */
  result: (T: FloatType) => string;
}

/** With z the clamped argument and `e` = exp(-2 sqrt(2 / pi) (z + c z^3)): tanh to sigmoid s. */
const GELU_NEW = (T: FloatType) => `
  let z = clamp(x, ${T}(-10), ${T}(10));
  let e = exp(-1.5957691216 * (z + 0.044715 * z * z * z));
  let s = 1 / (1 + e);`;

/**
 * The normal distribution: its density and its cumulative c, by Abramowitz and Stegun 7.1.26 as on the
 * other backends, on the side where it is small.
 */
const GELU = (T: FloatType) => `
  let z = min(abs(x), ${T}(13));
  let e = exp(-0.5 * z * z);
  let t = 1 / (1 + 0.23164189 * z);
  var p = 1.061405429 * t - 1.453152027;
  p = p * t + 1.421413741;
  p = p * t - 0.284496736;
  p = p * t + 0.254829592;
  let tail = 0.5 * p * t * e;
  let c = select(1 - tail, tail, x < ${T}(0));`;

const SILU = (T: FloatType) => `
  let z = clamp(x, ${T}(-87), ${T}(87));
  let e = exp(-z);
  let s = 1 / (1 + e);`;

const APPLY: Record<ActivationName, WgslFunction> = {
  gelu_new: {body: GELU_NEW, result: (T) => `select(x * s, ${T}(0), x < ${T}(-10))`},
  gelu: {body: GELU, result: (T) => `select(x * c, ${T}(0), x < ${T}(-13))`},
  silu: {body: SILU, result: (T) => `select(x * s, ${T}(0), x < ${T}(-87))`},
  relu: {body: () => '', result: (T) => `max(x, ${T}(0))`},
};

// 1 - s is e s, without cancellation.
const DERIVATIVE: Record<ActivationName, WgslFunction> = {
  gelu_new: {
    body: GELU_NEW,
    result: () => 's + z * (e * s * s) * (1.5957691216 * (1 + 0.134145 * z * z))',
  },
  gelu: {
    body: GELU,
    result: (T) => `c + 0.3989422804 * clamp(x, ${T}(-13), ${T}(13)) * e`,
  },
  silu: {body: SILU, result: () => 's * (1 + z * (e * s))'},
  // Of NaN it is 1, as on the other backends.
  relu: {body: () => '', result: (T) => `select(${T}(1), ${T}(0), x <= ${T}(0))`},
};

/** WGSL: `fn NAME(x : TYPE) -> TYPE`, the activation of one value or four. NaN stays NaN. */
export function activationFunction(
  activation: ActivationName,
  type: FloatType,
  name = 'activate',
): string {
  const {body, result} = APPLY[activation];
  return `
    fn ${name}(x : ${type}) -> ${type} {
      ${body(type)}
      return select(${result(type)}, x, ${isNan(type, 'x')});
    }`;
}

/** WGSL: `fn NAME(x : TYPE) -> TYPE`, the derivative of the activation at one value or four. */
export function activationDerivative(
  activation: ActivationName,
  type: FloatType,
  name = 'activationDerivative',
): string {
  const {body, result} = DERIVATIVE[activation];
  const ofNan = activation === 'relu' ? `${type}(1)` : 'x';
  return `
    fn ${name}(x : ${type}) -> ${type} {
      ${body(type)}
      return select(${result(type)}, ${ofNan}, ${isNan(type, 'x')});
    }`;
}
