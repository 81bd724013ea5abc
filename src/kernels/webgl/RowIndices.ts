import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {kernelConfig} from '../../kernel';
import {RowIndices, type RowIndicesAttrs, type RowIndicesInputs} from '../../kernel_names';
import {type Program, runProgram} from './program';
import {upperBound} from './search_glsl';

const PROGRAM: Program = {
  name: RowIndices,
  inputs: {offsets: 'flat'},
  layout: 'flat',
  outputs: ['row'],
  declarations: upperBound('offsets'),
  main: `
    int end = upperBound_offsets(index);
    row = end < offsets_size ? float(end - 1) : -1.0;`,
};

export const rowIndicesConfig = kernelConfig<RowIndicesInputs, RowIndicesAttrs, MathBackendWebGL>(
  RowIndices,
  'webgl',
  ({inputs: {offsets}, attrs: {numBlocks}, backend}) =>
    runProgram(backend, PROGRAM, {inputs: {offsets}, shape: [numBlocks], dtype: 'int32'}),
);
