import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import {util} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {Sdd, type SddInputs, type SparseAttrs} from '../../kernel_names';
import {sdd} from '../shared/Sdd_impl';
import {matMul} from '../shared/mat_mul';
import {blockIndices, floats} from './cpu_util';

export const sddConfig = kernelConfig<SddInputs, SparseAttrs, MathBackendCPU>(
  Sdd,
  'cpu',
  ({inputs: {a, b, rowIndices, columnIndices}, attrs, backend}) => {
    const shape = [columnIndices.shape[0], attrs.blockSize, attrs.blockSize];
    const out = new Float32Array(util.sizeFromShape(shape));
    const [aValues, bValues] = [floats(backend, a), floats(backend, b)];
    const indices = blockIndices(backend, rowIndices, columnIndices);
    sdd(a.shape, indices, attrs, (product) => matMul(product, aValues, bValues, out));
    return backend.makeTensorInfo(shape, 'float32', out);
  },
);
