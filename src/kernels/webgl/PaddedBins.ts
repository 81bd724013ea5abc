import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {kernelConfig} from '../../kernel';
import {PaddedBins, type PaddedBinsAttrs, type PaddedBinsInputs} from '../../kernel_names';
import {type Program, runProgram} from './program';
import {ROUND_UP} from './round_up_glsl';

/** Every bin sums all up to its own: there are few. */
const PROGRAM: Program = {
  name: PaddedBins,
  inputs: {counts: 'flat'},
  layout: 'flat',
  outputs: ['bins'],
  uniforms: {blockSize: 'int'},
  declarations: ROUND_UP,
  main: `
    int end = 0;
    for (int i = 0; i <= index; i++) {
      end += roundUp(countsInt(i), blockSize);
    }
    bins = float(end);`,
};

export const paddedBinsConfig = kernelConfig<PaddedBinsInputs, PaddedBinsAttrs, MathBackendWebGL>(
  PaddedBins,
  'webgl',
  ({inputs: {tokensPerExpert}, attrs: {blockSize}, backend}) =>
    runProgram(backend, PROGRAM, {
      inputs: {counts: tokensPerExpert},
      shape: tokensPerExpert.shape,
      dtype: 'int32',
      uniforms: {blockSize},
    }),
);
