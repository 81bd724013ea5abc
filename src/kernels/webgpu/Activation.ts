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
import {makeOutput, type Program, runProgram, workgroupsFor} from './program';

const WORKGROUP_SIZE = 256;

/** One invocation a vector of elements. */
function activationProgram(activation: ActivationName, type: FloatType): Program {
  return {
    name: Activation,
    variant: `${activation} ${type}`,
    inputs: {x: type},
    outputs: {y: type},
    uniforms: {length: 'u32'},
    workgroupSize: WORKGROUP_SIZE,
    declarations: () => activationFunction(activation, type),
    main: () => `
      if (index < uniforms.length) { y[index] = activate(x[index]); }`,
  };
}

export const activationConfig = kernelConfig<ActivationInputs, ActivationAttrs, WebGPUBackend>(
  Activation,
  'webgpu',
  ({inputs: {x}, attrs: {activation}, backend}) => {
    const y = makeOutput(backend, x.shape);
    const size = util.sizeFromShape(x.shape);
    const type = floatType(size);
    const length = size / lengthOf(type);
    runProgram(backend, activationProgram(activation, type), {
      inputs: {x},
      outputs: {y},
      uniforms: {length},
      workgroups: workgroupsFor(length, WORKGROUP_SIZE),
    });
    return y;
  },
);
