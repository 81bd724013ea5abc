import {Scatter, type ScatterAttrs, type ScatterInputs, WeightedScatter} from '../../kernel_names';
import {PERMUTATION_ATTRS, PERMUTATION_INDEX} from './permutation';
import {tensorflowKernel} from './tensorflow_util';

export const scatterConfig = tensorflowKernel<ScatterInputs, ScatterAttrs>(Scatter, {
  inputs: ['x', ...PERMUTATION_INDEX],
  attrs: PERMUTATION_ATTRS,
});

export const weightedScatterConfig = tensorflowKernel<ScatterInputs, ScatterAttrs>(
  WeightedScatter,
  {
    inputs: ['x', ...PERMUTATION_INDEX, 'weights'],
    attrs: PERMUTATION_ATTRS,
  },
);
