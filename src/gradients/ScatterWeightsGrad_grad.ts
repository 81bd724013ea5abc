import type {GradConfig, Tensor} from '@tensorflow/tfjs-core';
import {runKernel} from '../kernel';
import {ScatterWeightsGrad, WeightedGather, WeightedScatter} from '../kernel_names';

/** The gradient `ddw` of this kernel takes the place of the weights. */
export const scatterWeightsGradGradConfig: GradConfig = {
  kernelName: ScatterWeightsGrad,
  inputsToSave: ['indices', 'bins', 'paddedBins', 'x', 'dy'],
  gradFunc: (ddw: Tensor | Tensor[], [indices, bins, paddedBins, x, dy]: Tensor[], attrs) => {
    const index = {indices, bins, paddedBins, weights: ddw as Tensor};
    return {
      x: () => runKernel(WeightedGather, {x: dy, ...index}, attrs),
      dy: () => runKernel(WeightedScatter, {x, ...index}, attrs),
    };
  },
};
