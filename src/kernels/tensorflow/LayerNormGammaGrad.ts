import {
  LayerNormGammaGrad,
  type LayerNormGammaGradAttrs,
  type LayerNormGammaGradInputs,
} from '../../kernel_names';
import {tensorflowKernel} from './tensorflow_util';

export const layerNormGammaGradConfig = tensorflowKernel<
  LayerNormGammaGradInputs,
  LayerNormGammaGradAttrs
>(LayerNormGammaGrad, {
  inputs: ['x', 'dy'],
  attrs: {epsilon: 'float'},
});
