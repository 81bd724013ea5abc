import {
  ScatterWeightsGrad,
  type ScatterWeightsGradAttrs,
  type ScatterWeightsGradInputs,
} from '../../kernel_names';
import {PERMUTATION_ATTRS, PERMUTATION_INDEX} from './permutation';
import {tensorflowKernel} from './tensorflow_util';

export const scatterWeightsGradConfig = tensorflowKernel<
  ScatterWeightsGradInputs,
  ScatterWeightsGradAttrs
>(ScatterWeightsGrad, {
  inputs: ['x', 'dy', ...PERMUTATION_INDEX],
  attrs: PERMUTATION_ATTRS,
});
