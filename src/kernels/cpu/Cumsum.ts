import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import {util} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {Cumsum, type CumsumAttrs, type CumsumInputs} from '../../kernel_names';
import {cumsum} from '../shared/Cumsum_impl';
import {ints} from './cpu_util';

export const cumsumConfig = kernelConfig<CumsumInputs, CumsumAttrs, MathBackendCPU>(
  Cumsum,
  'cpu',
  ({inputs: {x}, attrs: {exclusive}, backend}) => {
    const shape = x.shape;
    const out = new Int32Array(util.sizeFromShape(shape));
    cumsum(ints(backend, x), x.shape[x.shape.length - 1], exclusive, out);
    return backend.makeTensorInfo(shape, 'int32', out);
  },
);
