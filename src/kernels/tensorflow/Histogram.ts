import {Histogram, type HistogramAttrs, type HistogramInputs} from '../../kernel_names';
import {tensorflowKernel} from './tensorflow_util';

export const histogramConfig = tensorflowKernel<HistogramInputs, HistogramAttrs>(Histogram, {
  inputs: ['x'],
  attrs: {max: 'int'},
});
