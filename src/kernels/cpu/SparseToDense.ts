import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import {util} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {SparseToDense, type SparseToDenseAttrs, type SparseToDenseInputs} from '../../kernel_names';
import {sparseToDense} from '../shared/SparseToDense_impl';
import {blockIndices, floats} from './cpu_util';

export const sparseToDenseConfig = kernelConfig<
  SparseToDenseInputs,
  SparseToDenseAttrs,
  MathBackendCPU
>(SparseToDense, 'cpu', ({inputs: {values, rowIndices, columnIndices}, attrs, backend}) => {
  const shape = [attrs.sparseRows, attrs.sparseColumns];
  const out = new Float32Array(util.sizeFromShape(shape));
  const indices = blockIndices(backend, rowIndices, columnIndices);
  sparseToDense(floats(backend, values), indices, attrs, out);
  return backend.makeTensorInfo(shape, 'float32', out);
});
