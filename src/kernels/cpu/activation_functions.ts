import type {ActivationName} from '../../kernel_names';

const SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI);
const CUBIC = 0.044715;

/** Each activation and its derivative, for one number. */
export const ACTIVATION_FUNCTIONS: Record<
  ActivationName,
  {apply(x: number): number; derivative(x: number): number}
> = {
  gelu_new: {
    apply: (x) => 0.5 * x * (1 + Math.tanh(geluArgument(x))),
    derivative: (x) => {
      const t = Math.tanh(geluArgument(x));
      const slope = SQRT_2_OVER_PI * (1 + 3 * CUBIC * x * x);
      return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * slope;
    },
  },
  gelu: {
    apply: (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
    derivative: (x) =>
      0.5 * (1 + erf(x / Math.SQRT2)) + (x * Math.exp(-0.5 * x * x)) / Math.sqrt(2 * Math.PI),
  },
  silu: {
    apply: (x) => x * sigmoid(x),
    derivative: (x) => sigmoid(x) * (1 + x * (1 - sigmoid(x))),
  },
  relu: {
    // Math.max keeps NaN.
    apply: (x) => Math.max(x, 0),
    derivative: (x) => (x <= 0 ? 0 : 1),
  },
};

function geluArgument(x: number): number {
  return SQRT_2_OVER_PI * (x + CUBIC * x * x * x);
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

/** Abramowitz and Stegun 7.1.26: to 1.5e-7, as tfjs' own kernels. */
function erf(x: number): number {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const p =
    ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return Math.sign(x) * (1 - p * Math.exp(-x * x));
}
