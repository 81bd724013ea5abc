import type {GradConfig, NamedAttrMap, Tensor} from '@tensorflow/tfjs-core';
import {runKernel} from '../kernel';
import {
  type ExpertsAttrs,
  GROUPED_MLP_INPUTS,
  GroupedMlp,
  GroupedMlpGrad,
  type GroupedMlpGradInputs,
} from '../kernel_names';

/** All at once. What was saved besides y has no gradient. */
export const groupedMlpGradConfig: GradConfig = {
  kernelName: GroupedMlp,
  inputsToSave: [...GROUPED_MLP_INPUTS],
  outputsToSave: [false, true],
  gradFunc: (dy: Tensor | Tensor[], tensors: Tensor[], attrs: NamedAttrMap) => {
    const [x, expertWeights, w1, w2, indices, bins, saved] = tensors;
    const [dx, dexpertWeights, dw1, dw2] = runKernel<GroupedMlpGradInputs, ExpertsAttrs, Tensor[]>(
      GroupedMlpGrad,
      {dy: (dy as Tensor[])[0], x, expertWeights, w1, w2, indices, bins, saved},
      attrs as unknown as ExpertsAttrs,
    );
    return {x: () => dx, expertWeights: () => dexpertWeights, w1: () => dw1, w2: () => dw2};
  },
};
