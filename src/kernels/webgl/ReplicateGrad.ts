import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {kernelConfig} from '../../kernel';
import {ReplicateGrad, type ReplicateGradAttrs, type ReplicateGradInputs} from '../../kernel_names';
import {type Program, runProgram} from './program';
import {beginOf} from './search_glsl';

const PROGRAM: Program = {
  name: ReplicateGrad,
  inputs: {dy: 'flat', bins: 'flat'},
  layout: 'flat',
  outputs: ['sum'],
  uniforms: {numOutputs: 'int'},
  declarations: beginOf('bins'),
  main: `
    int row = index / bins_size;
    int bin = index - row * bins_size;
    int end = min(binsInt(bin), numOutputs);
    for (int i = begin_bins(bin); i < end; i++) {
      sum += dy(row * numOutputs + i);
    }`,
};

export const replicateGradConfig = kernelConfig<
  ReplicateGradInputs,
  ReplicateGradAttrs,
  MathBackendWebGL
>(ReplicateGrad, 'webgl', ({inputs: {dy, bins}, attrs: {numOutputs}, backend}) =>
  runProgram(backend, PROGRAM, {
    inputs: {dy, bins},
    shape: [...dy.shape.slice(0, -1), bins.shape[0]],
    uniforms: {numOutputs},
  }),
);
