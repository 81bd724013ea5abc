import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {kernelConfig} from '../../kernel';
import {Replicate, type ReplicateAttrs, type ReplicateInputs} from '../../kernel_names';
import {type Program, runProgram} from './program';
import {upperBound} from './search_glsl';

const PROGRAM: Program = {
  name: Replicate,
  inputs: {x: 'flat', bins: 'flat'},
  layout: 'flat',
  outputs: ['y'],
  uniforms: {numOutputs: 'int'},
  declarations: upperBound('bins'),
  main: `
    int row = index / numOutputs;
    int bin = upperBound_bins(index - row * numOutputs);
    y = bin < bins_size ? x(row * bins_size + bin) : 0.0;`,
};

export const replicateConfig = kernelConfig<ReplicateInputs, ReplicateAttrs, MathBackendWebGL>(
  Replicate,
  'webgl',
  ({inputs: {x, bins}, attrs: {numOutputs}, backend}) =>
    runProgram(backend, PROGRAM, {
      inputs: {x, bins},
      shape: [...x.shape.slice(0, -1), numOutputs],
      dtype: x.dtype as 'float32' | 'int32',
      uniforms: {numOutputs},
    }),
);
