import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {kernelConfig} from '../../kernel';
import {Embedding, type EmbeddingInputs} from '../../kernel_names';
import {type Program, runProgram} from './program';

const PROGRAM: Program = {
  name: Embedding,
  inputs: {table: 'packed', indices: 'flat'},
  layout: 'packed',
  outputs: ['rows'],
  declarations: `
    vec2 rowOf(int position, int columnTexel) {
      int index = indicesInt(position);
      return index >= 0 && index < table_rows ? tableRow(index, columnTexel) : vec2(0.0);
    }`,
  main: 'rows = vec4(rowOf(2 * rowTexel, columnTexel), rowOf(2 * rowTexel + 1, columnTexel));',
};

export const embeddingConfig = kernelConfig<EmbeddingInputs, object, MathBackendWebGL>(
  Embedding,
  'webgl',
  ({inputs: {table, indices}, backend}) =>
    runProgram(backend, PROGRAM, {
      inputs: {table, indices},
      shape: [indices.shape[0], table.shape[1]],
    }),
);
