import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {kernelConfig} from '../../kernel';
import {
  CausalAttentionGrad,
  type CausalAttentionGradAttrs,
  type CausalAttentionGradInputs,
} from '../../kernel_names';
import {attentionShape, causalAttentionGrad} from '../shared/CausalAttention_impl';
import {withAttentionBlocks} from './causal_attention_blocks';
import {address, floats, makeOutput} from './wasm_util';

export const causalAttentionGradConfig = kernelConfig<
  CausalAttentionGradInputs,
  CausalAttentionGradAttrs,
  BackendWasm
>(CausalAttentionGrad, 'wasm', ({inputs: {qkv, dy}, attrs, backend}) => {
  const shape = attentionShape(qkv.shape, attrs);
  const dqkv = makeOutput(backend, qkv.shape, 'float32');
  floats(backend, dqkv).fill(0);
  const operands = {
    qkv: address(backend, qkv),
    dy: address(backend, dy),
    dqkv: address(backend, dqkv),
  };
  withAttentionBlocks(backend, shape, operands, (blocks) => causalAttentionGrad(shape, blocks));
  return dqkv;
});
