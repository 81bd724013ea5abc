import type {GradConfig, NamedAttrMap, Tensor} from '@tensorflow/tfjs-core';
import {runKernel} from '../kernel';
import {Activation, ActivationGrad} from '../kernel_names';

export const activationGradConfig: GradConfig = {
  kernelName: Activation,
  inputsToSave: ['x'],
  gradFunc: (dy: Tensor | Tensor[], [x]: Tensor[], attrs: NamedAttrMap) => ({
    x: () => runKernel(ActivationGrad, {x, dy: dy as Tensor}, attrs),
  }),
};
