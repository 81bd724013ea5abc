import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {kernelConfig} from '../../kernel';
import {DenseToSparse, type DenseToSparseAttrs, type DenseToSparseInputs} from '../../kernel_names';
import {denseToSparse} from '../shared/DenseToSparse_impl';
import {blockIndices, floats, makeOutput} from './wasm_util';

export const denseToSparseConfig = kernelConfig<
  DenseToSparseInputs,
  DenseToSparseAttrs,
  BackendWasm
>(DenseToSparse, 'wasm', ({inputs: {x, rowIndices, columnIndices}, attrs, backend}) => {
  const shape = [columnIndices.shape[0], attrs.blockSize, attrs.blockSize];
  const out = makeOutput(backend, shape, 'float32');
  const indices = blockIndices(backend, rowIndices, columnIndices);
  denseToSparse(floats(backend, x), indices, attrs, floats(backend, out).fill(0));
  return out;
});
