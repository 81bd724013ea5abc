import {type GradConfig, type NamedAttrMap, sum, type Tensor} from '@tensorflow/tfjs-core';
import {runKernel} from '../kernel';
import {LayerNorm, LayerNormGammaGrad, LayerNormGrad} from '../kernel_names';

export const layerNormGradConfig: GradConfig = {
  kernelName: LayerNorm,
  inputsToSave: ['x', 'gamma'],
  gradFunc: (dy: Tensor | Tensor[], [x, gamma]: Tensor[], attrs: NamedAttrMap) => ({
    x: () => runKernel(LayerNormGrad, {x, gamma, dy: dy as Tensor}, attrs),
    gamma: () => runKernel(LayerNormGammaGrad, {x, dy: dy as Tensor}, attrs),
    beta: () => sum(dy as Tensor, 0),
  }),
};
