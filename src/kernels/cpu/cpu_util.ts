import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import type {DataType, TensorInfo} from '@tensorflow/tfjs-core';
import type {BlockIndices} from '../shared/sparse_blocks';

/** The dtypes that the kernels compute in. */
export type Values = Float32Array | Int32Array;

/**
 * The values of a tensor on the cpu backend; a copy only where tf.cast made floats of integers, since it leaves
 * the data as they are.
 */
export function floats(backend: MathBackendCPU, {dataId}: TensorInfo): Float32Array {
  const values = backend.data.get(dataId).values as Values | Uint8Array;
  return values instanceof Float32Array ? values : Float32Array.from(values);
}

/** The values of an int32 tensor on the cpu backend; not a copy. */
export function ints(backend: MathBackendCPU, {dataId}: TensorInfo): Int32Array {
  return backend.data.get(dataId).values as unknown as Int32Array;
}

/** The values of a float32 or int32 tensor on the cpu backend; not a copy. */
export function values(backend: MathBackendCPU, {dataId}: TensorInfo): Values {
  return backend.data.get(dataId).values as Values;
}

/** A new array of zeros for a result. */
export function zeros(dtype: DataType, size: number): Values {
  return dtype === 'int32' ? new Int32Array(size) : new Float32Array(size);
}

/** Where the blocks of a block-sparse matrix lie. */
export function blockIndices(
  backend: MathBackendCPU,
  rowIndices: TensorInfo,
  columnIndices: TensorInfo,
): BlockIndices {
  return {rowIndices: ints(backend, rowIndices), columnIndices: ints(backend, columnIndices)};
}
