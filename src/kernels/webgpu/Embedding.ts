import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {kernelConfig} from '../../kernel';
import {Embedding, type EmbeddingInputs} from '../../kernel_names';
import {makeOutput} from './program';
import {pullRows} from './rows';

export const embeddingConfig = kernelConfig<EmbeddingInputs, object, WebGPUBackend>(
  Embedding,
  'webgpu',
  ({inputs: {table, indices}, backend}) => {
    const [vocabSize, rowSize] = table.shape;
    const numRows = indices.shape[0];
    const y = makeOutput(backend, [numRows, rowSize]);
    const source = {
      name: Embedding,
      variant: '',
      terms: 1,
      weighted: false,
      types: {indices: 'i32'},
      inputs: {indices},
      uniforms: {vocabSize},
      declarations: `
      fn findTerm(row : u32, term : u32) -> Term {
        let token = indices[row];
        return Term(select(-1, token, token < uniforms.vocabSize), 1);
      }`,
    };
    pullRows(backend, source, {x: table, y, numRows, rowSize});
    return y;
  },
);
