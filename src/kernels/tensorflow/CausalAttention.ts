import {
  CausalAttention,
  type CausalAttentionAttrs,
  type CausalAttentionInputs,
} from '../../kernel_names';
import {tensorflowKernel} from './tensorflow_util';

export const causalAttentionConfig = tensorflowKernel<CausalAttentionInputs, CausalAttentionAttrs>(
  CausalAttention,
  {
    inputs: ['qkv'],
    attrs: {numHeads: 'int'},
  },
);
