import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {kernelConfig} from '../../kernel';
import {EmbeddingGrad, type EmbeddingGradAttrs, type EmbeddingGradInputs} from '../../kernel_names';
import {assembly} from './assembly_module';
import {address, floats, makeOutput} from './wasm_util';

export const embeddingGradConfig = kernelConfig<
  EmbeddingGradInputs,
  EmbeddingGradAttrs,
  BackendWasm
>(EmbeddingGrad, 'wasm', ({inputs: {dy, indices}, attrs: {vocabSize}, backend}) => {
  const [numRows, hiddenSize] = dy.shape;
  const out = makeOutput(backend, [vocabSize, hiddenSize], 'float32');
  floats(backend, out).fill(0);
  assembly(backend).pushAddRows(
    numRows,
    hiddenSize,
    address(backend, dy),
    address(backend, indices),
    vocabSize,
    address(backend, out),
  );
  return out;
});
