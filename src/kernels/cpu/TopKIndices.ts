import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import {util} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {TopKIndices, type TopKIndicesAttrs, type TopKIndicesInputs} from '../../kernel_names';
import {topKIndices} from '../shared/TopKIndices_impl';
import {floats} from './cpu_util';

export const topKIndicesConfig = kernelConfig<TopKIndicesInputs, TopKIndicesAttrs, MathBackendCPU>(
  TopKIndices,
  'cpu',
  ({inputs: {x}, attrs: {k}, backend}) => {
    const shape = [x.shape[0], k];
    const out = new Int32Array(util.sizeFromShape(shape));
    topKIndices(floats(backend, x), x.shape[1], k, out);
    return backend.makeTensorInfo(shape, 'int32', out);
  },
);
