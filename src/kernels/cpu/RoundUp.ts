import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import {util} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {RoundUp, type RoundUpAttrs, type RoundUpInputs} from '../../kernel_names';
import {roundUp} from '../shared/RoundUp_impl';
import {ints} from './cpu_util';

export const roundUpConfig = kernelConfig<RoundUpInputs, RoundUpAttrs, MathBackendCPU>(
  RoundUp,
  'cpu',
  ({inputs: {x}, attrs: {multiple}, backend}) => {
    const shape = x.shape;
    const out = new Int32Array(util.sizeFromShape(shape));
    roundUp(ints(backend, x), multiple, out);
    return backend.makeTensorInfo(shape, 'int32', out);
  },
);
