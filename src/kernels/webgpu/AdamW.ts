import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {util} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {AdamW, type AdamWAttrs, type AdamWInputs} from '../../kernel_names';
import {adamWFactors} from '../shared/AdamW_impl';
import {type FloatType, floatType, isNotFinite, lengthOf} from './float_wgsl';
import {magnitudeRecord} from './magnitude_wgsl';
import {recordMagnitude} from './magnitudes';
import {makeOutput, type Program, runProgram, workgroupsFor} from './program';

const WORKGROUP_SIZE = 256;

/** WGSL: the gradient, scaled; where the scale is not finite all stays as it is. */
const SCALED_GRADIENT = `
  let scale = gradientScale[0];
  if (${isNotFinite('f32', 'scale')}) {
    newFirstMoment[index] = firstMoment[index];
    newSecondMoment[index] = secondMoment[index];
    return value[index];
  }
  let g = scale * gradient[index];`;

/**
 * One invocation a vector of elements, of the parameter and of all that belongs to it.
 *
 * @param scaled Whether the gradients are scaled by a number that the device knows.
 * @param records Whether the largest magnitude of the new value is recorded.
 */
function adamWProgram(type: FloatType, scaled: boolean, records: boolean): Program {
  const record = magnitudeRecord('value', type, records);
  return {
    name: AdamW,
    variant: `${type} ${scaled}${record.variant}`,
    inputs: {
      ...{value: type, gradient: type, firstMoment: type, secondMoment: type},
      ...(scaled && {gradientScale: 'f32'}),
    },
    outputs: {
      ...{newValue: type, newFirstMoment: type, newSecondMoment: type},
      ...record.outputs,
    },
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
      ...record.uniforms,
    },
    uniformsChange: true,
    workgroupSize: WORKGROUP_SIZE,
    declarations: () => `
      ${record.declarations}

      /** Updates the moments, and returns the new value. */
      fn updated(index : u32) -> ${type} {
        ${scaled ? SCALED_GRADIENT : 'let g = gradient[index];'}
        let m = uniforms.beta1 * firstMoment[index] + uniforms.oneMinusBeta1 * g;
        let v = uniforms.beta2 * secondMoment[index] + uniforms.oneMinusBeta2 * g * g;
        let deviation = sqrt(v * uniforms.secondMomentScale) + uniforms.epsilon;
        newFirstMoment[index] = m;
        newSecondMoment[index] = v;
        return uniforms.decay * value[index] - uniforms.stepSize * m / deviation;
      }`,
    main: () => `
      ${record.begin}
      if (index < uniforms.length) {
        let now = updated(index);
        newValue[index] = now;
        ${record.join('now')}
      }
      ${record.end}`,
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
    const record = recordMagnitude(backend, newValue);
    const {beta1, beta2, epsilon} = attrs;
    runProgram(backend, adamWProgram(type, inputs.gradientScale != null, record != null), {
      inputs: {...inputs},
      outputs: {
        newValue,
        newFirstMoment,
        newSecondMoment,
        ...record?.outputs,
      },
      uniforms: {
        ...record?.uniforms,
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
