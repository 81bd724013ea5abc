import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {util} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {TakeAlongRows, type TakeAlongRowsAttrs, type TakeAlongRowsInputs} from '../../kernel_names';
import {makeOutput, type Program, runProgram, workgroupsFor} from './program';

const WORKGROUP_SIZE = 256;

/** One invocation an output. Elements are copied as bits, so that NaN stays what it is. */
const TAKE_ALONG_ROWS: Program = {
  name: TakeAlongRows,
  inputs: {x: 'u32', indices: 'i32'},
  outputs: {y: 'u32'},
  uniforms: {size: 'u32', k: 'u32', numColumns: 'u32'},
  workgroupSize: WORKGROUP_SIZE,
  main: () => `
    if (index >= uniforms.size) { return; }
    y[index] = x[index / uniforms.k * uniforms.numColumns + u32(indices[index])];`,
};

export const takeAlongRowsConfig = kernelConfig<
  TakeAlongRowsInputs,
  TakeAlongRowsAttrs,
  WebGPUBackend
>(TakeAlongRows, 'webgpu', ({inputs: {x, indices}, attrs: {numColumns}, backend}) => {
  const y = makeOutput(backend, indices.shape);
  const size = util.sizeFromShape(indices.shape);
  runProgram(backend, TAKE_ALONG_ROWS, {
    inputs: {x, indices},
    outputs: {y},
    uniforms: {size, k: indices.shape[1], numColumns},
    workgroups: workgroupsFor(size, WORKGROUP_SIZE),
  });
  return y;
});
