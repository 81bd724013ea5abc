import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {kernelConfig} from '../../kernel';
import {
  CausalAttention,
  type CausalAttentionAttrs,
  type CausalAttentionInputs,
} from '../../kernel_names';
import {attentionShape, causalAttention} from '../shared/CausalAttention_impl';
import {withAttentionBlocks} from './causal_attention_blocks';
import {address, makeOutput} from './wasm_util';

export const causalAttentionConfig = kernelConfig<
  CausalAttentionInputs,
  CausalAttentionAttrs,
  BackendWasm
>(CausalAttention, 'wasm', ({inputs: {qkv}, attrs, backend}) => {
  const shape = attentionShape(qkv.shape, attrs);
  const y = makeOutput(backend, [shape.batch, shape.length, shape.hiddenSize], 'float32');
  const operands = {qkv: address(backend, qkv), y: address(backend, y)};
  withAttentionBlocks(backend, shape, operands, (blocks) => causalAttention(shape, blocks));
  return y;
});
