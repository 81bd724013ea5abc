import type {_FusedMatMulInputs, TensorInfo} from '@tensorflow/tfjs-core';

// What the products take that `useFastMatMul` puts in the place of tfjs' own.

/** Floats: tf.matMul knows integers, too. */
export function isFastMatMul({a, b}: Record<'a' | 'b', TensorInfo>): boolean {
  return a.dtype === 'float32' && b.dtype === 'float32';
}

/** The same, with a bias and slopes that are the same for every row. */
export function isFastFusedMatMul({
  a,
  b,
  bias,
  preluActivationWeights,
}: _FusedMatMulInputs): boolean {
  return isFastMatMul({a, b}) && isOneRow(bias) && isOneRow(preluActivationWeights);
}

/** Whether an operand, where there is one, is the same for every row. */
export function isOneRow(x: TensorInfo | undefined): boolean {
  return x == null || x.shape.slice(0, -1).every((size) => size === 1);
}
