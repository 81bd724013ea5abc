import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import {util} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {Dds, type DdsInputs, type SparseAttrs} from '../../kernel_names';
import {dds, ddsShape} from '../shared/Dds_impl';
import {matMul} from '../shared/mat_mul';
import {blockIndices, floats} from './cpu_util';

export const ddsConfig = kernelConfig<DdsInputs, SparseAttrs, MathBackendCPU>(
  Dds,
  'cpu',
  ({inputs: {a, values, rowIndices, columnIndices}, attrs, backend}) => {
    const shape = ddsShape(a.shape, attrs);
    const out = new Float32Array(util.sizeFromShape(shape));
    const [aValues, bValues] = [floats(backend, a), floats(backend, values)];
    const indices = blockIndices(backend, rowIndices, columnIndices);
    dds(a.shape, indices, attrs, (product) => matMul(product, aValues, bValues, out));
    return backend.makeTensorInfo(shape, 'float32', out);
  },
);
