import type {GradConfig, Tensor} from '@tensorflow/tfjs-core';
import {runKernel} from '../kernel';
import {
  Gather,
  Scatter,
  ScatterWeightsGrad,
  WeightedGather,
  WeightedScatter,
} from '../kernel_names';

export const scatterGradConfig: GradConfig = {
  kernelName: Scatter,
  inputsToSave: ['indices', 'bins', 'paddedBins'],
  gradFunc: (dy: Tensor | Tensor[], [indices, bins, paddedBins]: Tensor[], attrs) => ({
    x: () => runKernel(Gather, {x: dy as Tensor, indices, bins, paddedBins}, attrs),
  }),
};

export const weightedScatterGradConfig: GradConfig = {
  kernelName: WeightedScatter,
  inputsToSave: ['indices', 'bins', 'paddedBins', 'weights', 'x'],
  gradFunc: (dy: Tensor | Tensor[], [indices, bins, paddedBins, weights, x]: Tensor[], attrs) => {
    const index = {indices, bins, paddedBins};
    return {
      x: () => runKernel(WeightedGather, {x: dy as Tensor, weights, ...index}, attrs),
      weights: () => runKernel(ScatterWeightsGrad, {x, dy: dy as Tensor, ...index}, attrs),
    };
  },
};
