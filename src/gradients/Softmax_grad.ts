import type {GradConfig, Tensor} from '@tensorflow/tfjs-core';
import {runKernel} from '../kernel';
import {Softmax, SoftmaxGrad} from '../kernel_names';

export const softmaxGradConfig: GradConfig = {
  kernelName: Softmax,
  outputsToSave: [true],
  gradFunc: (dy: Tensor | Tensor[], [y]: Tensor[]) => ({
    logits: () => runKernel(SoftmaxGrad, {y, dy: dy as Tensor}),
  }),
};
