import {
  CausalAttentionGrad,
  type CausalAttentionGradAttrs,
  type CausalAttentionGradInputs,
} from '../../kernel_names';
import {tensorflowKernel} from './tensorflow_util';

export const causalAttentionGradConfig = tensorflowKernel<
  CausalAttentionGradInputs,
  CausalAttentionGradAttrs
>(CausalAttentionGrad, {
  inputs: ['qkv', 'dy'],
  attrs: {numHeads: 'int'},
});
