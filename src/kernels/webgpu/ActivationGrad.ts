import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {util} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {
  ActivationGrad,
  type ActivationGradAttrs,
  type ActivationGradInputs,
  type ActivationName,
} from '../../kernel_names';
import {activationDerivative} from './activation_wgsl';
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
function activationGradProgram(
  activation: ActivationName,
  type: FloatType,
  records: boolean,
): Program {
  const record = magnitudeRecord('dx', type, records);
  return {
    name: ActivationGrad,
    variant: `${activation} ${type}${record.variant}`,
    inputs: {x: type, dy: type},
    outputs: {dx: type, ...record.outputs},
    uniforms: {length: 'u32', ...record.uniforms},
    uniformsChange: records,
    workgroupSize: WORKGROUP_SIZE,
    declarations: () => activationDerivative(activation, type) + record.declarations,
    main: () => `
      ${record.begin}
      if (index < uniforms.length) {
        let value = activationDerivative(x[index]) * dy[index];
        dx[index] = value;
        ${record.join('value')}
      }
      ${record.end}`,
  };
}

export const activationGradConfig = kernelConfig<
  ActivationGradInputs,
  ActivationGradAttrs,
  WebGPUBackend
>(ActivationGrad, 'webgpu', ({inputs: {x, dy}, attrs: {activation}, backend}) => {
  const dx = makeOutput(backend, x.shape);
  const size = util.sizeFromShape(x.shape);
  const type = floatType(size);
  const record = recordMagnitude(backend, dx);
  const length = size / lengthOf(type);
  runProgram(backend, activationGradProgram(activation, type, record != null), {
    inputs: {x, dy},
    outputs: {dx, ...record?.outputs},
    uniforms: {length, ...record?.uniforms},
    workgroups: workgroupsFor(length, WORKGROUP_SIZE),
  });
  return dx;
});
