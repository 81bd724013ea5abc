import {LayerNorm, type LayerNormAttrs, type LayerNormInputs} from '../../kernel_names';
import {tensorflowKernel} from './tensorflow_util';

export const layerNormConfig = tensorflowKernel<LayerNormInputs, LayerNormAttrs>(LayerNorm, {
  inputs: ['x', 'gamma', 'beta'],
  attrs: {epsilon: 'float'},
});
