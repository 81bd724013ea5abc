import {LayerNormGrad, type LayerNormGradAttrs, type LayerNormGradInputs} from '../../kernel_names';
import {tensorflowKernel} from './tensorflow_util';

export const layerNormGradConfig = tensorflowKernel<LayerNormGradInputs, LayerNormGradAttrs>(
  LayerNormGrad,
  {
    inputs: ['x', 'gamma', 'dy'],
    attrs: {epsilon: 'float'},
  },
);
