import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import {kernelConfig} from '../../kernel';
import {
  CausalAttention,
  type CausalAttentionAttrs,
  type CausalAttentionInputs,
} from '../../kernel_names';
import {attentionShape, causalAttention} from '../shared/CausalAttention_impl';
import {cpuAttentionBlocks} from './causal_attention_blocks';
import {floats} from './cpu_util';

export const causalAttentionConfig = kernelConfig<
  CausalAttentionInputs,
  CausalAttentionAttrs,
  MathBackendCPU
>(CausalAttention, 'cpu', ({inputs: {qkv}, attrs, backend}) => {
  const shape = attentionShape(qkv.shape, attrs);
  const y = new Float32Array(shape.batch * shape.length * shape.hiddenSize);
  causalAttention(shape, cpuAttentionBlocks(shape, {qkv: floats(backend, qkv), y}));
  return backend.makeTensorInfo([shape.batch, shape.length, shape.hiddenSize], 'float32', y);
});
