import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {kernelConfig} from '../../kernel';
import {SparseToDense, type SparseToDenseAttrs, type SparseToDenseInputs} from '../../kernel_names';
import {sparseToDense} from '../shared/SparseToDense_impl';
import {blockIndices, floats, makeOutput} from './wasm_util';

export const sparseToDenseConfig = kernelConfig<
  SparseToDenseInputs,
  SparseToDenseAttrs,
  BackendWasm
>(SparseToDense, 'wasm', ({inputs: {values, rowIndices, columnIndices}, attrs, backend}) => {
  const shape = [attrs.sparseRows, attrs.sparseColumns];
  const out = makeOutput(backend, shape, 'float32');
  const indices = blockIndices(backend, rowIndices, columnIndices);
  sparseToDense(floats(backend, values), indices, attrs, floats(backend, out).fill(0));
  return out;
});
