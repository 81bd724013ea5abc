import type {GradConfig, Tensor} from '@tensorflow/tfjs-core';
import {runKernel} from '../kernel';
import {Replicate, ReplicateGrad} from '../kernel_names';

export const replicateGradConfig: GradConfig = {
  kernelName: Replicate,
  inputsToSave: ['bins'],
  gradFunc: (dy: Tensor | Tensor[], [bins]: Tensor[], attrs) => ({
    x: () => runKernel(ReplicateGrad, {dy: dy as Tensor, bins}, attrs),
  }),
};

export const replicateGradGradConfig: GradConfig = {
  kernelName: ReplicateGrad,
  inputsToSave: ['bins'],
  gradFunc: (ddx: Tensor | Tensor[], [bins]: Tensor[], attrs) => ({
    dy: () => runKernel(Replicate, {x: ddx as Tensor, bins}, attrs),
  }),
};
