import type {GradConfig, NamedAttrMap, Tensor} from '@tensorflow/tfjs-core';
import {runKernel} from '../kernel';
import {CausalAttention, CausalAttentionGrad} from '../kernel_names';

export const causalAttentionGradConfig: GradConfig = {
  kernelName: CausalAttention,
  inputsToSave: ['qkv'],
  gradFunc: (dy: Tensor | Tensor[], [qkv]: Tensor[], attrs: NamedAttrMap) => ({
    qkv: () => runKernel(CausalAttentionGrad, {qkv, dy: dy as Tensor}, attrs),
  }),
};
