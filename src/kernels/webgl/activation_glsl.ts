import type {ActivationName} from '../../kernel_names';
import {IS_NAN} from './nan_glsl';

// The activations in GLSL, of four elements. The forms are chosen so that nothing overflows and little
// cancels: the argument of exp is clamped to where both exp(x) and exp(-x) are normal, and where that
// changes the result, it is zero or x.

interface GlslFunction {
  /** Statements over `x`. */
  body: string;
  /** An expression over what the body declares. */
  result: string;
}

/** With e = exp(-2 sqrt(2 / pi) (z + c z^3)): from tanh to the sigmoid s. */
const GELU_NEW = `
  vec4 z = clamp(x, -10.0, 10.0);
  vec4 e = exp(-1.5957691216 * (z + 0.044715 * z * z * z));
  vec4 s = 1.0 / (1.0 + e);`;

/**
 * The normal distribution: its density and its cumulative c, by Abramowitz and Stegun 7.1.26 as on the
 * other backends, on the side where it is small.
 */
const GELU = `
  vec4 z = min(abs(x), 13.0);
  vec4 e = exp(-0.5 * z * z);
  vec4 t = 1.0 / (1.0 + 0.23164189 * z);
  vec4 p = 1.061405429 * t - 1.453152027;
  p = p * t + 1.421413741;
  p = p * t - 0.284496736;
  p = p * t + 0.254829592;
  vec4 tail = 0.5 * p * t * e;
  vec4 c = mix(1.0 - tail, tail, lessThan(x, vec4(0.0)));`;

const SILU = `
  vec4 z = clamp(x, -87.0, 87.0);
  vec4 e = exp(-z);
  vec4 s = 1.0 / (1.0 + e);`;

const zeroBelow = (value: string, limit: string) =>
  `mix(${value}, vec4(0.0), lessThan(x, vec4(${limit})))`;

const APPLY: Record<ActivationName, GlslFunction> = {
  gelu_new: {body: GELU_NEW, result: zeroBelow('x * s', '-10.0')},
  gelu: {body: GELU, result: zeroBelow('x * c', '-13.0')},
  silu: {body: SILU, result: zeroBelow('x * s', '-87.0')},
  relu: {body: '', result: 'max(x, 0.0)'},
};

// 1 - s is e s, without cancellation.
const DERIVATIVE: Record<ActivationName, GlslFunction> = {
  gelu_new: {
    body: GELU_NEW,
    result: 's + z * (e * s * s) * (1.5957691216 * (1.0 + 0.134145 * z * z))',
  },
  gelu: {body: GELU, result: 'c + 0.3989422804 * clamp(x, -13.0, 13.0) * e'},
  silu: {body: SILU, result: 's * (1.0 + z * (e * s))'},
  relu: {body: '', result: 'mix(vec4(1.0), vec4(0.0), lessThanEqual(x, vec4(0.0)))'},
};

function glslFunction(name: string, {body, result}: GlslFunction, ofNaN: string): string {
  return `
    ${IS_NAN}
    vec4 ${name}(vec4 x) {
      ${body}
      return mix(${result}, ${ofNaN}, isNaN(x));
    }`;
}

/** `activate(x)`. NaN stays NaN. */
export function activationFunction(activation: ActivationName): string {
  return glslFunction('activate', APPLY[activation], 'x');
}

/** `derivative(x)`. Of NaN it is NaN, but for relu 1, as on the other backends. */
export function derivativeFunction(activation: ActivationName): string {
  const ofNaN = activation === 'relu' ? 'vec4(1.0)' : 'x';
  return glslFunction('derivative', DERIVATIVE[activation], ofNaN);
}
