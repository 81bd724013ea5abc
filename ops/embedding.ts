import type {Tensor, Tensor2D} from '@tensorflow/tfjs-core';
import {assertTensor} from '../src/asserts';
import {inShape} from '../src/in_shape';
import {runKernel} from '../src/kernel';
import {Embedding, type EmbeddingInputs} from '../src/kernel_names';

/**
 * Looks up rows of a table. tf.gather's gradient takes milliseconds a row of the table on the cpu
 * backend and does not exist on wasm; this one costs what it must.
 *
 * ```js
 * embedding(tf.tensor2d([[1, 2], [3, 4]]), tf.tensor1d([1, 0, 1], 'int32')).print();
 * // [[3, 4], [1, 2], [3, 4]]
 * ```
 *
 * @param table [V, H], float32.
 * @param indices Any shape, int32, from 0 to V - 1. An index out of range gives a row of zeros and
 *     no gradient.
 * @returns [...indices.shape, H], float32. Differentiable in `table`: rows of the gradient are summed
 *     by index, in order, so that the result is the same every time.
 * @throws If a shape or dtype differs from these.
 * @see torch.nn.functional.embedding
 */
export function embedding(table: Tensor2D, indices: Tensor): Tensor {
  assertTensor('embedding', 'table', table, {rank: 2, dtype: 'float32'});
  assertTensor('embedding', 'indices', indices, {dtype: 'int32'});
  const rows = runKernel<EmbeddingInputs, object>(Embedding, {
    table,
    indices: inShape(indices, [indices.size]),
  });
  return inShape(rows, [...indices.shape, table.shape[1]]);
}
