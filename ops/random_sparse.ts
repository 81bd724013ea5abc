import {ones, randomNormal, type Tensor2D, type Tensor3D, tidy} from '@tensorflow/tfjs-core';
import {assert, assertCount, MAX_INT32} from '../src/asserts';
import {randomNumbers, tfjsSeed} from '../src/random';
import {assertBlockable} from '../src/sparse_operands';
import {SparseMatrix} from './sparse_matrix';
import {SparseTopology} from './sparse_topology';
import {toDense} from './to_dense';

/**
 * A dense matrix of zeros, with ones in blocks at random places.
 *
 * @param rows A multiple of `blockSize`.
 * @param columns A multiple of `blockSize`.
 * @param sparsity The share of the blocks that are zero, from 0 to 1; rounded to whole blocks.
 * @param blockSize The size of the blocks, 1 by default.
 * @param seed The same seed gives the same mask.
 * @returns [rows, columns], float32.
 * @throws If an argument differs from these.
 * @see stk.random.dense_mask
 */
export function randomDenseMask(
  rows: number,
  columns: number,
  sparsity: number,
  blockSize = 1,
  seed?: number,
): Tensor2D {
  return tidy(() =>
    toDense(maskOf(randomTopology('randomDenseMask', rows, columns, sparsity, blockSize, seed))),
  );
}

/**
 * A block-sparse matrix of ones in blocks at random places. It owns a new topology: dispose of both.
 *
 * @param rows A multiple of `blockSize`.
 * @param columns A multiple of `blockSize`.
 * @param sparsity The share of the blocks that are zero, from 0 to 1; rounded to whole blocks.
 * @param blockSize The size of the blocks, 1 by default.
 * @param seed The same seed gives the same mask.
 * @returns [rows, columns], block-sparse, with round(blocks * (1 - sparsity)) blocks.
 * @throws If an argument differs from these.
 * @see stk.random.mask
 */
export function randomMask(
  rows: number,
  columns: number,
  sparsity: number,
  blockSize = 1,
  seed?: number,
): SparseMatrix {
  return maskOf(randomTopology('randomMask', rows, columns, sparsity, blockSize, seed));
}

/**
 * A block-sparse matrix of normally distributed values (mean 0, deviation 1) in blocks at random
 * places. It owns a new topology: dispose of both.
 *
 * @param rows A multiple of `blockSize`.
 * @param columns A multiple of `blockSize`.
 * @param sparsity The share of the blocks that are zero, from 0 to 1; rounded to whole blocks.
 * @param blockSize The size of the blocks, 1 by default.
 * @param seed The same seed gives the same matrix.
 * @returns [rows, columns], block-sparse, with round(blocks * (1 - sparsity)) blocks.
 * @throws If an argument differs from these.
 * @see stk.random.randn
 */
export function randomSparse(
  rows: number,
  columns: number,
  sparsity: number,
  blockSize = 1,
  seed?: number,
): SparseMatrix {
  const topology = randomTopology('randomSparse', rows, columns, sparsity, blockSize, seed);
  const values = randomNormal(valuesShape(topology), 0, 1, 'float32', tfjsSeed(seed)) as Tensor3D;
  return new SparseMatrix(topology, values);
}

function maskOf(topology: SparseTopology): SparseMatrix {
  return new SparseMatrix(topology, ones(valuesShape(topology)) as Tensor3D);
}

function valuesShape({numBlocks, blockSize}: SparseTopology): [number, number, number] {
  return [numBlocks, blockSize, blockSize];
}

/** Picks exactly as many blocks as asked, every set of them equally likely (selection sampling). */
function randomTopology(
  op: string,
  rows: number,
  columns: number,
  sparsity: number,
  blockSize: number,
  seed: number | undefined,
): SparseTopology {
  assertCount(op, 'rows', rows, {min: 0, max: MAX_INT32});
  assertCount(op, 'columns', columns, {min: 0, max: MAX_INT32});
  assertCount(op, 'blockSize', blockSize, {min: 1, max: MAX_INT32});
  assertBlockable(op, 'shape', [rows, columns], blockSize);
  assert(
    typeof sparsity === 'number' && sparsity >= 0 && sparsity <= 1,
    () => `${op}: sparsity must be a number from 0 to 1, got ${sparsity}`,
  );
  const random = randomNumbers(seed);
  let left = (rows / blockSize) * (columns / blockSize);
  let wanted = Math.round(left * (1 - sparsity));
  return SparseTopology.where([rows, columns], blockSize, () => {
    const isUsed = random() * left < wanted;
    left--;
    wanted -= isUsed ? 1 : 0;
    return isUsed;
  });
}
