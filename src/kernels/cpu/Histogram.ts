import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import {util} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {Histogram, type HistogramAttrs, type HistogramInputs} from '../../kernel_names';
import {histogram} from '../shared/Histogram_impl';
import {ints} from './cpu_util';

export const histogramConfig = kernelConfig<HistogramInputs, HistogramAttrs, MathBackendCPU>(
  Histogram,
  'cpu',
  ({inputs: {x}, attrs: {max}, backend}) => {
    const shape = [...x.shape.slice(0, -1), max];
    const out = new Int32Array(util.sizeFromShape(shape));
    histogram(ints(backend, x), max, out);
    return backend.makeTensorInfo(shape, 'int32', out);
  },
);
