import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import {kernelConfig} from '../../kernel';
import {
  CausalAttentionGrad,
  type CausalAttentionGradAttrs,
  type CausalAttentionGradInputs,
} from '../../kernel_names';
import {attentionShape, causalAttentionGrad} from '../shared/CausalAttention_impl';
import {cpuAttentionBlocks} from './causal_attention_blocks';
import {floats} from './cpu_util';

export const causalAttentionGradConfig = kernelConfig<
  CausalAttentionGradInputs,
  CausalAttentionGradAttrs,
  MathBackendCPU
>(CausalAttentionGrad, 'cpu', ({inputs: {qkv, dy}, attrs, backend}) => {
  const shape = attentionShape(qkv.shape, attrs);
  const operands = {qkv: floats(backend, qkv), dy: floats(backend, dy)};
  const dqkv = new Float32Array(operands.qkv.length);
  causalAttentionGrad(shape, cpuAttentionBlocks(shape, {...operands, dqkv}));
  return backend.makeTensorInfo(qkv.shape, 'float32', dqkv);
});
