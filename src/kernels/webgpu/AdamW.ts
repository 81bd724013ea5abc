import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {util} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {AdamW, type AdamWAttrs, type AdamWInputs} from '../../kernel_names';
import {adamWFactors} from '../shared/AdamW_impl';
import {type FloatType, floatType, isNotFinite, lengthOf} from './float_wgsl';
import {makeOutput, type Program, runProgram, workgroupsFor} from './program';

const WORKGROUP_SIZE = 256;

/** WGSL: the gradient, scaled; where the scale is not finite it only copies. */
const scaledGradient = `
      let scale = gradientScale[0];
      if (${isNotFinite('f32', 'scale')}) {
        newFirstMoment[index] = firstMoment[index];
        newSecondMoment[index] = secondMoment[index];
        newValue[index] = value[index];
        return;
      }
      let g = scale * gradient[index];`;

/** One invocation a vector of elements, of the parameter and of all that belongs to it. */
function adamWProgram(type: FloatType, scaled: boolean): Program {
  return {
    name: AdamW,
    variant: `${type}${scaled ? ' scaled' : ''}`,
    inputs: {
      ...{value: type, gradient: type, firstMoment: type, secondMoment: type},
      ...(scaled && {gradientScale: 'f32'}),
    },
    outputs: {newValue: type, newFirstMoment: type, newSecondMoment: type},
    uniforms: {
      length: 'u32',
      beta1: 'f32',
      beta2: 'f32',
      // In float32, 1 - beta would have lost the last digits of beta.
      oneMinusBeta1: 'f32',
      oneMinusBeta2: 'f32',
      epsilon: 'f32',
      stepSize: 'f32',
      decay: 'f32',
      secondMomentScale: 'f32',
    },
    uniformsChange: true,
    workgroupSize: WORKGROUP_SIZE,
    main: () => `
      if (index >= uniforms.length) { return; }
      ${scaled ? scaledGradient : 'let g = gradient[index];'}
      let m = uniforms.beta1 * firstMoment[index] + uniforms.oneMinusBeta1 * g;
      let v = uniforms.beta2 * secondMoment[index] + uniforms.oneMinusBeta2 * g * g;
      let deviation = sqrt(v * uniforms.secondMomentScale) + uniforms.epsilon;
      newFirstMoment[index] = m;
      newSecondMoment[index] = v;
      newValue[index] = uniforms.decay * value[index] - uniforms.stepSize * m / deviation;`,
  };
}

export const adamWConfig = kernelConfig<AdamWInputs, AdamWAttrs, WebGPUBackend>(
  AdamW,
  'webgpu',
  ({inputs, attrs, backend}) => {
    const {value} = inputs;
    const [newValue, newFirstMoment, newSecondMoment] = [0, 1, 2].map(() =>
      makeOutput(backend, value.shape),
    );
    const size = util.sizeFromShape(value.shape);
    const type = floatType(size);
    const length = size / lengthOf(type);
    const {beta1, beta2, epsilon} = attrs;
    runProgram(backend, adamWProgram(type, inputs.gradientScale != null), {
      inputs: {...inputs},
      outputs: {newValue, newFirstMoment, newSecondMoment},
      uniforms: {
        length,
        beta1,
        beta2,
        oneMinusBeta1: 1 - beta1,
        oneMinusBeta2: 1 - beta2,
        epsilon,
        ...adamWFactors(attrs),
      },
      workgroups: workgroupsFor(length, WORKGROUP_SIZE),
    });
    return [newValue, newFirstMoment, newSecondMoment];
  },
);
