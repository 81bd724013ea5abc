import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {kernelConfig} from '../../kernel';
import {Sort, type SortAttrs, type SortInputs} from '../../kernel_names';
import {radixSort} from './radix_sort';

export const sortConfig = kernelConfig<SortInputs, SortAttrs, WebGPUBackend>(
  Sort,
  'webgpu',
  ({inputs, attrs: {endBit}, backend}) => {
    const {keys, indices} = radixSort(backend, Sort, inputs.keys, endBit);
    return [keys, indices];
  },
);
