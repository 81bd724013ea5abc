import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {type TensorInfo, util} from '@tensorflow/tfjs-core';
import {type Program, runProgram, workgroupsFor} from './program';

const WORKGROUP_SIZE = 256;

/** One invocation an element. */
function fillProgram(name: string): Program {
  return {
    name,
    variant: 'fill',
    inputs: {},
    outputs: {y: 'i32'},
    uniforms: {size: 'u32', value: 'i32'},
    workgroupSize: WORKGROUP_SIZE,
    main: () => `
      if (index < uniforms.size) { y[index] = uniforms.value; }`,
  };
}

/** Writes one integer to every element of `y`. */
export function fill(backend: WebGPUBackend, kernelName: string, y: TensorInfo, value: number) {
  const size = util.sizeFromShape(y.shape);
  runProgram(backend, fillProgram(kernelName), {
    inputs: {},
    outputs: {y},
    uniforms: {size, value},
    workgroups: workgroupsFor(size, WORKGROUP_SIZE),
  });
}
