import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {kernelConfig} from '../../kernel';
import {RoundUp, type RoundUpAttrs, type RoundUpInputs} from '../../kernel_names';
import {type Program, runProgram} from './program';
import {ROUND_UP} from './round_up_glsl';

const PROGRAM: Program = {
  name: RoundUp,
  inputs: {x: 'flat'},
  layout: 'flat',
  outputs: ['y'],
  uniforms: {multiple: 'int'},
  declarations: ROUND_UP,
  main: 'y = float(roundUp(xInt(index), multiple));',
};

export const roundUpConfig = kernelConfig<RoundUpInputs, RoundUpAttrs, MathBackendWebGL>(
  RoundUp,
  'webgl',
  ({inputs: {x}, attrs: {multiple}, backend}) =>
    runProgram(backend, PROGRAM, {
      inputs: {x},
      shape: x.shape,
      dtype: 'int32',
      uniforms: {multiple},
    }),
);
