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
import {makeOutput, type Program, runProgram, workgroupsFor} from './program';

const WORKGROUP_SIZE = 256;

/** One invocation a vector of elements. */
function activationGradProgram(activation: ActivationName, type: FloatType): Program {
  return {
    name: ActivationGrad,
    variant: `${activation} ${type}`,
    inputs: {x: type, dy: type},
    outputs: {dx: type},
    uniforms: {length: 'u32'},
    workgroupSize: WORKGROUP_SIZE,
    declarations: () => activationDerivative(activation, type),
    main: () => `
      if (index < uniforms.length) { dx[index] = activationDerivative(x[index]) * dy[index]; }`,
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
  const length = size / lengthOf(type);
  runProgram(backend, activationGradProgram(activation, type), {
    inputs: {x, dy},
    outputs: {dx},
    uniforms: {length},
    workgroups: workgroupsFor(length, WORKGROUP_SIZE),
  });
  return dx;
});
