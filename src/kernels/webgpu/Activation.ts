import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {util} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {
  Activation,
  type ActivationAttrs,
  type ActivationInputs,
  type ActivationName,
} from '../../kernel_names';
import {activationFunction} from './activation_wgsl';
import {type FloatType, floatType, lengthOf} from './float_wgsl';
import {magnitudeRecord} from './magnitude_wgsl';
import {recordMagnitude} from './magnitudes';
import {makeOutput, type Program, runProgram, workgroupsFor} from './program';

const WORKGROUP_SIZE = 256;

/**
 * One invocation a vector of elements.
 *
 * @param records Whether the largest magnitude of the result is recorded.
 */
function activationProgram(activation: ActivationName, type: FloatType, records: boolean): Program {
  const record = magnitudeRecord('y', type, records);
  return {
    name: Activation,
    variant: `${activation} ${type}${record.variant}`,
    inputs: {x: type},
    outputs: {y: type, ...record.outputs},
    uniforms: {length: 'u32', ...record.uniforms},
    uniformsChange: records,
    workgroupSize: WORKGROUP_SIZE,
    declarations: () => activationFunction(activation, type) + record.declarations,
    main: () => `
      ${record.begin}
      if (index < uniforms.length) {
        let value = activate(x[index]);
        y[index] = value;
        ${record.join('value')}
      }
      ${record.end}`,
  };
}

export const activationConfig = kernelConfig<ActivationInputs, ActivationAttrs, WebGPUBackend>(
  Activation,
  'webgpu',
  ({inputs: {x}, attrs: {activation}, backend}) => {
    const y = makeOutput(backend, x.shape);
    const size = util.sizeFromShape(x.shape);
    const type = floatType(size);
    const record = recordMagnitude(backend, y);
    const length = size / lengthOf(type);
    runProgram(backend, activationProgram(activation, type, record != null), {
      inputs: {x},
      outputs: {y, ...record?.outputs},
      uniforms: {length, ...record?.uniforms},
      workgroups: workgroupsFor(length, WORKGROUP_SIZE),
    });
    return y;
  },
);
