import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {util} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {RoundUp, type RoundUpAttrs, type RoundUpInputs} from '../../kernel_names';
import {makeOutput, type Program, runProgram, workgroupsFor} from './program';
import {ROUND_UP} from './round_up';

const WORKGROUP_SIZE = 256;

/** One invocation an element. */
const ROUND_UP_PROGRAM: Program = {
  name: RoundUp,
  inputs: {x: 'i32'},
  outputs: {y: 'i32'},
  uniforms: {size: 'u32', multiple: 'u32'},
  workgroupSize: WORKGROUP_SIZE,
  declarations: () => ROUND_UP,
  main: () => `
    if (index < uniforms.size) { y[index] = roundUp(x[index], uniforms.multiple); }`,
};

export const roundUpConfig = kernelConfig<RoundUpInputs, RoundUpAttrs, WebGPUBackend>(
  RoundUp,
  'webgpu',
  ({inputs: {x}, attrs: {multiple}, backend}) => {
    const y = makeOutput(backend, x.shape, 'int32');
    const size = util.sizeFromShape(x.shape);
    runProgram(backend, ROUND_UP_PROGRAM, {
      inputs: {x},
      outputs: {y},
      uniforms: {size, multiple},
      workgroups: workgroupsFor(size, WORKGROUP_SIZE),
    });
    return y;
  },
);
