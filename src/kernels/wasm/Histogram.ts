import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {kernelConfig} from '../../kernel';
import {Histogram, type HistogramAttrs, type HistogramInputs} from '../../kernel_names';
import {histogram} from '../shared/Histogram_impl';
import {ints, makeOutput} from './wasm_util';

export const histogramConfig = kernelConfig<HistogramInputs, HistogramAttrs, BackendWasm>(
  Histogram,
  'wasm',
  ({inputs: {x}, attrs: {max}, backend}) => {
    const out = makeOutput(backend, [...x.shape.slice(0, -1), max], 'int32');
    histogram(ints(backend, x), max, ints(backend, out));
    return out;
  },
);
