import type {GradConfig, NamedAttrMap, Tensor} from '@tensorflow/tfjs-core';
import {runKernel} from '../kernel';
import {LoadBalancingLoss, LoadBalancingLossGrad} from '../kernel_names';

export const loadBalancingLossGradConfig: GradConfig = {
  kernelName: LoadBalancingLoss,
  inputsToSave: ['tokensPerExpert'],
  gradFunc: (dy: Tensor | Tensor[], [tokensPerExpert]: Tensor[], attrs: NamedAttrMap) => ({
    scores: () => runKernel(LoadBalancingLossGrad, {dy: dy as Tensor, tokensPerExpert}, attrs),
  }),
};
