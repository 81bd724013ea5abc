import {mul, onesLike, type Tensor3D} from '@tensorflow/tfjs-core';
import {assert} from '../src/asserts';
import {assertSparseMatrix} from '../src/sparse_operands';
import {SparseMatrix} from './sparse_matrix';

/**
 * Applies a function to the values of a block-sparse matrix; where it has no block it stays zero.
 *
 * ```js
 * const h = sparseActivation(sdd(x, w1, topology), tf.relu);
 * ```
 *
 * Differentiable in the values of `matrix`, as far as `fn` is.
 *
 * @param matrix Block-sparse, transposed or not.
 * @param fn An elementwise function of [nnz, B, B], float32.
 * @returns A matrix that shares the topology.
 * @throws If `fn` changes the shape or dtype.
 * @see megablocks.layers.activation_fn.act_fn
 */
export function sparseActivation(
  matrix: SparseMatrix,
  fn: (values: Tensor3D) => Tensor3D,
): SparseMatrix {
  assertSparseMatrix('sparseActivation', 'matrix', matrix);
  assert(
    typeof fn === 'function',
    () => `sparseActivation: fn must be a function, got ${String(fn)}`,
  );
  return new SparseMatrix(matrix.topology, fn(matrix.values), matrix.transposed);
}

/**
 * Multiplies two block-sparse matrices of one topology, element by element.
 *
 * Differentiable in the values of both.
 *
 * @param a Block-sparse, transposed or not.
 * @param b Of the same topology and orientation. That both have the same size and number of blocks is
 *     checked; that their indices agree is not, since that would be a readback.
 * @returns A matrix that shares the topology of `a`.
 * @throws If the sizes, numbers of blocks or orientations differ.
 * @see stk.ops.mul
 */
export function sparseMul(a: SparseMatrix, b: SparseMatrix): SparseMatrix {
  assertSparseMatrix('sparseMul', 'a', a);
  assertSparseMatrix('sparseMul', 'b', b);
  assert(
    describe(a) === describe(b),
    () => `sparseMul: b must have the topology of a, ${describe(a)}, got ${describe(b)}`,
  );
  return new SparseMatrix(a.topology, mul(a.values, b.values), a.transposed);
}

/**
 * A block-sparse matrix of ones in the topology of another.
 *
 * @param matrix Block-sparse, transposed or not.
 * @returns A matrix that shares the topology.
 * @see stk.ops.ones_like
 */
export function sparseOnesLike(matrix: SparseMatrix): SparseMatrix {
  assertSparseMatrix('sparseOnesLike', 'matrix', matrix);
  return new SparseMatrix(matrix.topology, onesLike(matrix.values), matrix.transposed);
}

function describe({shape, topology: {numBlocks, blockSize}, transposed}: SparseMatrix): string {
  const blocks = `${numBlocks} blocks of ${blockSize}`;
  return `[${shape}] with ${blocks}${transposed ? ', transposed' : ''}`;
}
