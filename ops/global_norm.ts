import {
  type Scalar,
  pad,
  reshape,
  sqrt,
  square,
  stack,
  sum,
  type Tensor,
  tidy,
} from '@tensorflow/tfjs-core';
import {assertTensor} from '../src/asserts';
import {hasKernels, runKernel} from '../src/kernel';
import {GlobalNorm, type GlobalNormInputs} from '../src/kernel_names';

/** Sums are taken over rows of at most so many terms, since float32 loses digits over longer ones. */
const ROW = 1024;

/**
 * The square root of the sum of the squares of all elements of all tensors: what clipping by the global
 * norm compares with its limit. Nothing is read back.
 *
 * @param tensors Of any shapes, float32. One that is listed twice counts twice.
 * @returns A scalar, float32; NaN or infinite if any element is.
 * @throws If one of them is not a tensor of float32.
 * @see tf.linalg.global_norm; torch.nn.utils.clip_grad_norm_
 */
export function globalNorm(tensors: readonly Tensor[]): Scalar {
  tensors.forEach((x) => assertTensor('globalNorm', 'tensors', x, {dtype: 'float32'}));
  // tfjs on wasm leaves the sum of nothing undefined.
  const filled = tensors.filter(({size}) => size > 0);
  if (filled.length > 0 && hasKernels(GlobalNorm)) {
    const inputs = Object.fromEntries(filled.map((x, i) => [`x${i}`, x]));
    return runKernel<GlobalNormInputs, object, Scalar>(GlobalNorm, inputs);
  }
  return tidy(() => {
    const sums = filled.map((x) => accurateSum(square(x)));
    return sqrt(sums.length === 0 ? 0 : accurateSum(stack(sums))) as Scalar;
  });
}

function accurateSum(x: Tensor): Scalar {
  let rest: Tensor = x;
  while (rest.size > ROW) {
    // The last axis as it is costs no copy; what is left of it is small enough to be padded.
    const last = rest.shape.at(-1)!;
    rest = sum(last > 1 && last <= ROW ? rest : inRows(rest), -1);
  }
  return sum(rest) as Scalar;
}

function inRows(x: Tensor): Tensor {
  const missing = (ROW - (x.size % ROW)) % ROW;
  const flat = reshape(x, [-1]);
  return reshape(missing === 0 ? flat : pad(flat, [[0, missing]]), [-1, ROW]);
}
