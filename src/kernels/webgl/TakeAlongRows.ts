import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {kernelConfig} from '../../kernel';
import {TakeAlongRows, type TakeAlongRowsAttrs, type TakeAlongRowsInputs} from '../../kernel_names';
import {type Program, runProgram} from './program';

const PROGRAM: Program = {
  name: TakeAlongRows,
  inputs: {x: 'packed', indices: 'flat'},
  layout: 'flat',
  outputs: ['y'],
  uniforms: {k: 'int'},
  main: 'y = xValue(index / k, indicesInt(index));',
};

export const takeAlongRowsConfig = kernelConfig<
  TakeAlongRowsInputs,
  TakeAlongRowsAttrs,
  MathBackendWebGL
>(TakeAlongRows, 'webgl', ({inputs: {x, indices}, backend}) =>
  runProgram(backend, PROGRAM, {
    inputs: {x, indices},
    shape: indices.shape,
    uniforms: {k: indices.shape[1]},
  }),
);
