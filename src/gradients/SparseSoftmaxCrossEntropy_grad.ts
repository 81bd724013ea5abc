import type {GradConfig, Tensor} from '@tensorflow/tfjs-core';
import {runKernel} from '../kernel';
import {SparseSoftmaxCrossEntropy, SparseSoftmaxCrossEntropyGrad} from '../kernel_names';

export const sparseSoftmaxCrossEntropyGradConfig: GradConfig = {
  kernelName: SparseSoftmaxCrossEntropy,
  inputsToSave: ['logits', 'labels'],
  outputsToSave: [false, true],
  gradFunc: (dys: Tensor | Tensor[], [logits, labels, logSums]: Tensor[]) => ({
    logits: () =>
      runKernel(SparseSoftmaxCrossEntropyGrad, {logits, labels, logSums, dy: (dys as Tensor[])[0]}),
  }),
};
