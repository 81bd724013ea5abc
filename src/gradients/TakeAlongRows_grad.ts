import type {GradConfig, Tensor} from '@tensorflow/tfjs-core';
import {runKernel} from '../kernel';
import {TakeAlongRows, TakeAlongRowsGrad} from '../kernel_names';

export const takeAlongRowsGradConfig: GradConfig = {
  kernelName: TakeAlongRows,
  inputsToSave: ['indices'],
  gradFunc: (dy: Tensor | Tensor[], [indices]: Tensor[], attrs) => ({
    x: () => runKernel(TakeAlongRowsGrad, {dy: dy as Tensor, indices}, attrs),
  }),
};

export const takeAlongRowsGradGradConfig: GradConfig = {
  kernelName: TakeAlongRowsGrad,
  inputsToSave: ['indices'],
  gradFunc: (ddx: Tensor | Tensor[], [indices]: Tensor[], attrs) => ({
    dy: () => runKernel(TakeAlongRows, {x: ddx as Tensor, indices}, attrs),
  }),
};
