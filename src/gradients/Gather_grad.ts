import type {GradConfig, Tensor} from '@tensorflow/tfjs-core';
import {runKernel} from '../kernel';
import {
  Gather,
  Scatter,
  ScatterWeightsGrad,
  WeightedGather,
  WeightedScatter,
} from '../kernel_names';

export const gatherGradConfig: GradConfig = {
  kernelName: Gather,
  inputsToSave: ['indices', 'bins', 'paddedBins'],
  gradFunc: (dy: Tensor | Tensor[], [indices, bins, paddedBins]: Tensor[], attrs) => ({
    x: () => runKernel(Scatter, {x: dy as Tensor, indices, bins, paddedBins}, attrs),
  }),
};

export const weightedGatherGradConfig: GradConfig = {
  kernelName: WeightedGather,
  inputsToSave: ['indices', 'bins', 'paddedBins', 'weights', 'x'],
  gradFunc: (dy: Tensor | Tensor[], [indices, bins, paddedBins, weights, x]: Tensor[], attrs) => {
    const index = {indices, bins, paddedBins};
    return {
      x: () => runKernel(WeightedScatter, {x: dy as Tensor, weights, ...index}, attrs),
      weights: () => runKernel(ScatterWeightsGrad, {x: dy as Tensor, dy: x, ...index}, attrs),
    };
  },
};
