import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {kernelConfig} from '../../kernel';
import {Sort, type SortAttrs, type SortInputs} from '../../kernel_names';
import {mergeSort} from './merge_sort';

export const sortConfig = kernelConfig<SortInputs, SortAttrs, MathBackendWebGL>(
  Sort,
  'webgl',
  ({inputs: {keys}, attrs: {endBit}, backend}) => mergeSort(backend, Sort, keys, endBit),
);
