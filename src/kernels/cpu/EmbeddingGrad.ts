import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import {kernelConfig} from '../../kernel';
import {EmbeddingGrad, type EmbeddingGradAttrs, type EmbeddingGradInputs} from '../../kernel_names';
import {floats, ints} from './cpu_util';
import {pushAddRows} from './indexed_rows';

export const embeddingGradConfig = kernelConfig<
  EmbeddingGradInputs,
  EmbeddingGradAttrs,
  MathBackendCPU
>(EmbeddingGrad, 'cpu', ({inputs: {dy, indices}, attrs: {vocabSize}, backend}) => {
  const shape = [vocabSize, dy.shape[1]];
  const out = new Float32Array(shape[0] * shape[1]);
  pushAddRows(ints(backend, indices), floats(backend, dy), out, shape[1]);
  return backend.makeTensorInfo(shape, 'float32', out);
});
