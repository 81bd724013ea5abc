import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {util} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {AdamW, type AdamWAttrs, type AdamWInputs} from '../../kernel_names';
import {adamWFactors} from '../shared/AdamW_impl';
import {deviceState} from './device_state';
import {type FloatType, floatType, isNotFinite, lengthOf} from './float_wgsl';
import {joinMagnitude, MAGNITUDE_RECORD} from './magnitude_wgsl';
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
 * @param records Whether the largest magnitude of the new value is recorded, which the next product in
 *     half precision then need not look for.
 */
function adamWProgram(type: FloatType, scaled: boolean, records: boolean): Program {
  return {
    name: AdamW,
    variant: `${type} ${scaled} ${records}`,
    inputs: {
      ...{value: type, gradient: type, firstMoment: type, secondMoment: type},
      ...(scaled && {gradientScale: 'f32'}),
    },
    outputs: {
      ...{newValue: type, newFirstMoment: type, newSecondMoment: type},
      ...(records && MAGNITUDE_RECORD.outputs),
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
      ...(records && MAGNITUDE_RECORD.uniforms),
    },
    uniformsChange: true,
    workgroupSize: WORKGROUP_SIZE,
    declarations: () => `
      ${records ? MAGNITUDE_RECORD.declarations : ''}

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
      ${records ? 'var largest_value = 0u;' : ''}
      if (index < uniforms.length) {
        let now = updated(index);
        newValue[index] = now;
        ${records ? joinMagnitude('value', 'now', type) : ''}
      }
      ${records ? MAGNITUDE_RECORD.join('largest_value') : ''}`,
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
    const state = deviceState(backend.device);
    // Vectors are not multiplied.
    const records = state.multipliesInHalf && value.shape.length > 1;
    const {beta1, beta2, epsilon} = attrs;
    runProgram(backend, adamWProgram(type, inputs.gradientScale != null, records), {
      inputs: {...inputs},
      outputs: {
        newValue,
        newFirstMoment,
        newSecondMoment,
        ...(records && {magnitudes: state.magnitudes.buffer}),
      },
      uniforms: {
        ...(records && {slot: state.magnitudes.take(backend, newValue)}),
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
