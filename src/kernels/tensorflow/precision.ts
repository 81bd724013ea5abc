import type {Precision} from '../../kernel_names';

/**
 * How products multiply float32 tensors on a GPU; all sum in float32. 'tf32' and 'bfloat16' round the
 * operands and run on tensor cores.
 */
export type TensorFlowPrecision = 'float32' | 'tf32' | 'bfloat16';
export const TENSORFLOW_PRECISIONS: readonly TensorFlowPrecision[] = [
  'float32',
  'tf32',
  'bfloat16',
];

/** Of products that do not say. */
let initial: TensorFlowPrecision = 'float32';

export function setInitialPrecision(precision: TensorFlowPrecision) {
  initial = precision;
}

/** Half precision is bfloat16, which has the range of float32, so that nothing must be scaled. */
export function tensorflowPrecision(precision?: Precision): TensorFlowPrecision {
  return precision == null ? initial : precision === 'float16' ? 'bfloat16' : 'float32';
}
