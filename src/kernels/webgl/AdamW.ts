import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {kernelConfig} from '../../kernel';
import {AdamW, type AdamWAttrs, type AdamWInputs} from '../../kernel_names';
import {adamWFactors} from '../shared/AdamW_impl';
import {IS_NAN} from './nan_glsl';
import {type Program, runWithOutputs} from './program';

/** The gradient, scaled; where the scale is not finite it only copies. */
const SCALED_GRADIENT = `
    float scale = gradientScale(0);
    if (isNaN(scale) || isinf(scale)) {
      newFirstMoment = firstMoment(rowTexel, columnTexel);
      newSecondMoment = secondMoment(rowTexel, columnTexel);
      newValue = value(rowTexel, columnTexel);
      return;
    }
    vec4 g = scale * gradient(rowTexel, columnTexel);`;

/** All three results at once. */
function adamWProgram(isScaled: boolean): Program {
  return {
    name: AdamW,
    inputs: {
      ...{value: 'packed', gradient: 'packed', firstMoment: 'packed', secondMoment: 'packed'},
      ...(isScaled && {gradientScale: 'flat'}),
    },
    layout: 'packed',
    outputs: ['newValue', 'newFirstMoment', 'newSecondMoment'],
    uniforms: {
      beta1: 'float',
      beta2: 'float',
      oneMinusBeta1: 'float',
      oneMinusBeta2: 'float',
      epsilon: 'float',
      stepSize: 'float',
      decay: 'float',
      secondMomentScale: 'float',
    },
    declarations: isScaled ? IS_NAN : '',
    main: `
    ${isScaled ? SCALED_GRADIENT : 'vec4 g = gradient(rowTexel, columnTexel);'}
    newFirstMoment = beta1 * firstMoment(rowTexel, columnTexel) + oneMinusBeta1 * g;
    newSecondMoment = beta2 * secondMoment(rowTexel, columnTexel) + oneMinusBeta2 * g * g;
    vec4 deviation = sqrt(newSecondMoment * secondMomentScale) + epsilon;
    newValue = decay * value(rowTexel, columnTexel) - stepSize * newFirstMoment / deviation;`,
  };
}

export const adamWConfig = kernelConfig<AdamWInputs, AdamWAttrs, MathBackendWebGL>(
  AdamW,
  'webgl',
  ({inputs, attrs, backend}) => {
    const {beta1, beta2, epsilon} = attrs;
    return runWithOutputs(backend, adamWProgram(inputs.gradientScale != null), {
      inputs: {...inputs},
      shape: inputs.value.shape,
      uniforms: {
        beta1,
        beta2,
        // Not in the program: what float32 leaves of 1 - 0.999 has few digits.
        oneMinusBeta1: 1 - beta1,
        oneMinusBeta2: 1 - beta2,
        epsilon,
        ...adamWFactors(attrs),
      },
    });
  },
);
