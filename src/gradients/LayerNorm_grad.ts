import {type GradConfig, type NamedAttrMap, sum, type Tensor} from '@tensorflow/tfjs-core';
import {hasKernels, runKernel} from '../kernel';
import {
  LayerNorm,
  LayerNormGammaGrad,
  LayerNormGrad,
  LayerNormParametersGrad,
} from '../kernel_names';

export const layerNormGradConfig: GradConfig = {
  kernelName: LayerNorm,
  inputsToSave: ['x', 'gamma'],
  gradFunc: (gradient: Tensor | Tensor[], [x, gamma]: Tensor[], attrs: NamedAttrMap) => {
    const dy = gradient as Tensor;
    const ofX = () => runKernel(LayerNormGrad, {x, gamma, dy}, attrs);
    if (hasKernels(LayerNormParametersGrad)) {
      // Here, since the tape disposes of what it makes for one of the two before it asks for the other.
      const [dgamma, dbeta] = runKernel<object, object, Tensor[]>(
        LayerNormParametersGrad,
        {x, dy},
        attrs,
      );
      return {x: ofX, gamma: () => dgamma, beta: () => dbeta};
    }
    return {
      x: ofX,
      gamma: () => runKernel(LayerNormGammaGrad, {x, dy}, attrs),
      beta: () => sum(dy, 0),
    };
  },
};
