import type {GradConfig, Tensor} from '@tensorflow/tfjs-core';
import {runKernel} from '../kernel';
import {SparseSoftmaxCrossEntropy, SparseSoftmaxCrossEntropyGrad} from '../kernel_names';

export const sparseSoftmaxCrossEntropyGradConfig: GradConfig = {
  kernelName: SparseSoftmaxCrossEntropy,
  inputsToSave: ['logits', 'labels'],
  outputsToSave: [true],
  gradFunc: (dy: Tensor | Tensor[], [logits, labels, losses]: Tensor[]) => ({
    logits: () =>
      runKernel(SparseSoftmaxCrossEntropyGrad, {logits, labels, losses, dy: dy as Tensor}),
  }),
};
