import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {kernelConfig} from '../../kernel';
import {Cumsum, type CumsumAttrs, type CumsumInputs} from '../../kernel_names';
import {makeOutput} from './program';
import {sumRows} from './row_sums';

export const cumsumConfig = kernelConfig<CumsumInputs, CumsumAttrs, WebGPUBackend>(
  Cumsum,
  'webgpu',
  ({inputs: {x}, attrs: {exclusive}, backend}) => {
    const y = makeOutput(backend, x.shape, 'int32');
    sumRows(backend, {name: Cumsum, x, y, exclusive});
    return y;
  },
);
