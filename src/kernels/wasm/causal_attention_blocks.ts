import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {
  type AttentionBlocks,
  type AttentionShape,
  type Operand,
  QUERY_BLOCK,
} from '../shared/CausalAttention_impl';
import {assembly, withScratch} from './assembly_module';
import {matMulAt} from './mat_mul';

/** Calls `f` with the blocks of causal attention on the heap; operands are addresses. */
export function withAttentionBlocks(
  backend: BackendWasm,
  {length}: AttentionShape,
  operands: Partial<Record<Operand, number>>,
  f: (blocks: AttentionBlocks) => void,
) {
  const {causalSoftmax, causalSoftmaxGrad, gemmScratchBytes} = assembly(backend);
  const blockBytes = 4 * QUERY_BLOCK * length;
  withScratch(backend, 2 * blockBytes + gemmScratchBytes(), (scores) => {
    const grads = scores + blockBytes;
    const matMul = matMulAt(backend, grads + blockBytes);
    const addresses: Partial<Record<Operand, number>> = {...operands, scores, grads};
    f({
      matMul: (a, b, c, problem) => matMul(addresses[a]!, addresses[b]!, addresses[c]!, problem),
      softmax: (rows, stride, firstPosition, scale) =>
        causalSoftmax(rows, stride, firstPosition, scale, scores),
      softmaxGrad: (rows, stride, firstPosition, scale) =>
        causalSoftmaxGrad(rows, stride, firstPosition, scale, scores, grads),
    });
  });
}
