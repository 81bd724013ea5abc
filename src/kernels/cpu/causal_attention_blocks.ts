import {
  type AttentionBlocks,
  type AttentionShape,
  type Operand,
  QUERY_BLOCK,
} from '../shared/CausalAttention_impl';
import {matMul} from '../shared/mat_mul';

/** The blocks of causal attention on typed arrays. */
export function cpuAttentionBlocks(
  {length}: AttentionShape,
  operands: Partial<Record<Operand, Float32Array>>,
): AttentionBlocks {
  const scores = new Float32Array(QUERY_BLOCK * length);
  const grads = new Float32Array(QUERY_BLOCK * length);
  const arrays: Partial<Record<Operand, Float32Array>> = {...operands, scores, grads};
  return {
    matMul: (a, b, c, problem) => matMul(problem, arrays[a]!, arrays[b]!, arrays[c]!),
    softmax(rows, stride, firstPosition, scale) {
      for (let row = 0; row < rows; row++) {
        const line = scores.subarray(row * stride, (row + 1) * stride);
        const seen = line.subarray(0, firstPosition + row + 1);
        const max = seen.reduce((x, y) => Math.max(x, y), -Infinity);
        let sum = 0;
        for (let i = 0; i < seen.length; i++) {
          seen[i] = Math.exp(scale * (seen[i] - max));
          sum += seen[i];
        }
        for (let i = 0; i < seen.length; i++) {
          seen[i] /= sum;
        }
        line.fill(0, seen.length);
      }
    },
    softmaxGrad(rows, stride, firstPosition, scale) {
      for (let row = 0; row < rows; row++) {
        const seen = firstPosition + row + 1;
        const p = scores.subarray(row * stride, row * stride + seen);
        const dp = grads.subarray(row * stride, (row + 1) * stride);
        const sum = p.reduce((total, x, i) => total + x * dp[i], 0);
        for (let i = 0; i < seen; i++) {
          dp[i] = scale * p[i] * (dp[i] - sum);
        }
        dp.fill(0, seen);
      }
    },
  };
}
