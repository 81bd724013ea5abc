import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import {util} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {Dsd, type DsdInputs, type SparseAttrs} from '../../kernel_names';
import {dsd, dsdShape} from '../shared/Dsd_impl';
import {matMul} from '../shared/mat_mul';
import {blockIndices, floats} from './cpu_util';

export const dsdConfig = kernelConfig<DsdInputs, SparseAttrs, MathBackendCPU>(
  Dsd,
  'cpu',
  ({inputs: {values, b, rowIndices, columnIndices}, attrs, backend}) => {
    const shape = dsdShape(b.shape, attrs);
    const out = new Float32Array(util.sizeFromShape(shape));
    const [aValues, bValues] = [floats(backend, values), floats(backend, b)];
    const indices = blockIndices(backend, rowIndices, columnIndices);
    dsd(b.shape, indices, attrs, (product) => matMul(product, aValues, bValues, out));
    return backend.makeTensorInfo(shape, 'float32', out);
  },
);
