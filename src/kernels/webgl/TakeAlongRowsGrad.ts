import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {kernelConfig} from '../../kernel';
import {
  TakeAlongRowsGrad,
  type TakeAlongRowsGradAttrs,
  type TakeAlongRowsGradInputs,
} from '../../kernel_names';
import {type Program, runProgram} from './program';

const PROGRAM: Program = {
  name: TakeAlongRowsGrad,
  inputs: {dy: 'flat', indices: 'flat'},
  layout: 'packed',
  outputs: ['dx'],
  uniforms: {k: 'int'},
  declarations: `
    vec2 gradOf(int row, int column) {
      vec2 sum = vec2(0.0);
      for (int i = row * k; i < (row + 1) * k; i++) {
        sum += dy(i) * vec2(equal(ivec2(indicesInt(i)), ivec2(column, column + 1)));
      }
      return sum;
    }`,
  main: 'dx = vec4(gradOf(2 * rowTexel, 2 * columnTexel), gradOf(2 * rowTexel + 1, 2 * columnTexel));',
};

export const takeAlongRowsGradConfig = kernelConfig<
  TakeAlongRowsGradInputs,
  TakeAlongRowsGradAttrs,
  MathBackendWebGL
>(TakeAlongRowsGrad, 'webgl', ({inputs: {dy, indices}, attrs: {numColumns}, backend}) =>
  runProgram(backend, PROGRAM, {
    inputs: {dy, indices},
    shape: [indices.shape[0], numColumns],
    uniforms: {k: indices.shape[1]},
  }),
);
