import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import {kernelConfig} from '../../kernel';
import {Embedding, type EmbeddingInputs} from '../../kernel_names';
import {floats, ints} from './cpu_util';
import {pullRows} from './indexed_rows';

export const embeddingConfig = kernelConfig<EmbeddingInputs, object, MathBackendCPU>(
  Embedding,
  'cpu',
  ({inputs: {table, indices}, backend}) => {
    const shape = [indices.shape[0], table.shape[1]];
    const out = new Float32Array(shape[0] * shape[1]);
    pullRows({index: ints(backend, indices), terms: 1}, floats(backend, table), out, shape[1]);
    return backend.makeTensorInfo(shape, 'float32', out);
  },
);
