import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {kernelConfig} from '../../kernel';
import {Embedding, type EmbeddingInputs} from '../../kernel_names';
import {assembly} from './assembly_module';
import {address, makeOutput} from './wasm_util';

export const embeddingConfig = kernelConfig<EmbeddingInputs, object, BackendWasm>(
  Embedding,
  'wasm',
  ({inputs: {table, indices}, backend}) => {
    const [vocabSize, hiddenSize] = table.shape;
    const numRows = indices.shape[0];
    const out = makeOutput(backend, [numRows, hiddenSize], 'float32');
    assembly(backend).pullRows(
      numRows,
      1,
      hiddenSize,
      address(backend, table),
      address(backend, indices),
      vocabSize,
      0,
      address(backend, out),
    );
    return out;
  },
);
