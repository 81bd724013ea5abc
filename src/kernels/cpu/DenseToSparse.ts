import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import {util} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {DenseToSparse, type DenseToSparseAttrs, type DenseToSparseInputs} from '../../kernel_names';
import {denseToSparse} from '../shared/DenseToSparse_impl';
import {blockIndices, floats} from './cpu_util';

export const denseToSparseConfig = kernelConfig<
  DenseToSparseInputs,
  DenseToSparseAttrs,
  MathBackendCPU
>(DenseToSparse, 'cpu', ({inputs: {x, rowIndices, columnIndices}, attrs, backend}) => {
  const shape = [columnIndices.shape[0], attrs.blockSize, attrs.blockSize];
  const out = new Float32Array(util.sizeFromShape(shape));
  const indices = blockIndices(backend, rowIndices, columnIndices);
  denseToSparse(floats(backend, x), indices, attrs, out);
  return backend.makeTensorInfo(shape, 'float32', out);
});
