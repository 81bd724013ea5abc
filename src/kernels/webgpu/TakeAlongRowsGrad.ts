import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {util} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {
  TakeAlongRowsGrad,
  type TakeAlongRowsGradAttrs,
  type TakeAlongRowsGradInputs,
} from '../../kernel_names';
import {makeOutput, type Program, runProgram, workgroupsFor} from './program';

const WORKGROUP_SIZE = 256;

/** One invocation an element or four of dx: adds up what the row has for its columns. */
function takeAlongRowsGradProgram(vector: 1 | 4): Program {
  const type = vector === 4 ? 'vec4<f32>' : 'f32';
  return {
    name: TakeAlongRowsGrad,
    variant: `${vector}`,
    inputs: {dy: 'f32', indices: 'i32'},
    outputs: {dx: type},
    uniforms: {size: 'u32', k: 'u32', rowSize: 'u32'},
    workgroupSize: WORKGROUP_SIZE,
    main: () => `
      if (index >= uniforms.size) { return; }
      let begin = index / uniforms.rowSize * uniforms.k;
      let column = i32(index % uniforms.rowSize * ${vector}u);
      var sum = ${type}();
      for (var i = begin; i < begin + uniforms.k; i++) {
        let offset = indices[i] - column;
        ${
          vector === 4
            ? 'sum += select(vec4f(), vec4f(dy[i]), vec4i(offset) == vec4i(0, 1, 2, 3));'
            : 'if (offset == 0) { sum += dy[i]; }'
        }
      }
      dx[index] = sum;`,
  };
}

export const takeAlongRowsGradConfig = kernelConfig<
  TakeAlongRowsGradInputs,
  TakeAlongRowsGradAttrs,
  WebGPUBackend
>(TakeAlongRowsGrad, 'webgpu', ({inputs: {dy, indices}, attrs: {numColumns}, backend}) => {
  const [rows, k] = dy.shape;
  const dx = makeOutput(backend, [rows, numColumns]);
  const vector = numColumns % 4 === 0 ? 4 : 1;
  const size = util.sizeFromShape(dx.shape) / vector;
  runProgram(backend, takeAlongRowsGradProgram(vector), {
    inputs: {dy, indices},
    outputs: {dx},
    uniforms: {size, k, rowSize: numColumns / vector},
    workgroups: workgroupsFor(size, WORKGROUP_SIZE),
  });
  return dx;
});
