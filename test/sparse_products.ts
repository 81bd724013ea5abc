import * as tf from '@tensorflow/tfjs';
import {dds, dsd, sdd, SparseMatrix, type SparseTopology, toDense} from '../src/index';
import {expectClose} from './close';

// Block-sparse products against tf.matMul of the same matrices written out: the value and both gradients.

type Dense = tf.Tensor2D;
export type Flags = [transposeA: boolean, transposeB: boolean];
/** Numbers of a shape; other ones for another seed. */
export type Numbers = <R extends tf.Rank>(shape: tf.ShapeMap[R], seed: number) => tf.Tensor<R>;

export interface Product {
  operands: [tf.Tensor, tf.Tensor];
  product: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor;
  /** The same of the matrices written out. */
  dense: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor;
}
/** A product at a topology, with a dense size that the topology does not give. */
type ProductOf = (topology: SparseTopology, size: number, flags: Flags) => Product;

export const TRANSPOSES: Flags[] = [
  [false, false],
  [false, true],
  [true, false],
  [true, true],
];

/** The products of operands of such numbers. */
export function sparseProducts(numbers: Numbers): Record<'sdd' | 'dsd' | 'dds', ProductOf> {
  const matrix = (rows: number, columns: number, seed: number) =>
    numbers<tf.Rank.R2>([rows, columns], seed);
  const valuesOf = ({numBlocks, blockSize}: SparseTopology) =>
    numbers<tf.Rank.R3>([numBlocks, blockSize, blockSize], 3);
  const mask = (topology: SparseTopology) =>
    toDense(new SparseMatrix(topology, tf.onesLike(valuesOf(topology))));
  return {
    /** op(a) op(b) at a topology, `k` between them. */
    sdd(topology, k, [transposeA, transposeB]) {
      const [m, n] = topology.shape;
      return {
        operands: [
          transposeA ? matrix(k, m, 1) : matrix(m, k, 1),
          transposeB ? matrix(n, k, 2) : matrix(k, n, 2),
        ],
        product: (a, b) => toDense(sdd(a as Dense, b as Dense, topology, {transposeA, transposeB})),
        dense: (a, b) => tf.mul(tf.matMul(a, b, transposeA, transposeB), mask(topology)),
      };
    },
    /** op(s) op(b), where op(b) has `n` columns. */
    dsd(topology, n, [transposeA, transposeB]) {
      const k = topology.shape[transposeA ? 0 : 1];
      const sparse = (x: tf.Tensor) => new SparseMatrix(topology, x as tf.Tensor3D, transposeA);
      return {
        operands: [valuesOf(topology), transposeB ? matrix(n, k, 2) : matrix(k, n, 2)],
        product: (a, b) => dsd(sparse(a), b as Dense, {transposeB}),
        dense: (a, b) => tf.matMul(toDense(sparse(a)), b, false, transposeB),
      };
    },
    /** op(a) op(s), where op(a) has `m` rows. */
    dds(topology, m, [transposeA, transposeB]) {
      const k = topology.shape[transposeB ? 1 : 0];
      const sparse = (x: tf.Tensor) => new SparseMatrix(topology, x as tf.Tensor3D, transposeB);
      return {
        operands: [transposeA ? matrix(k, m, 1) : matrix(m, k, 1), valuesOf(topology)],
        product: (a, b) => dds(a as Dense, sparse(b), {transposeA}),
        dense: (a, b) => tf.matMul(a, toDense(sparse(b)), transposeA, false),
      };
    },
  };
}

/** Fails unless a product and its gradients, of a gradient of such numbers, are those of dense matrices. */
export function expectAsDense(
  {operands, product, dense}: Product,
  numbers: Numbers,
  options?: {tolerance?: number},
) {
  const {shape} = product(...operands);
  const dy = numbers(shape as [number, number], 4);
  const {value, grads} = tf.valueAndGrads(product)(operands, dy);
  const wanted = tf.valueAndGrads(dense)(operands, dy);
  expectClose(value, wanted.value, {...options, name: 'y'});
  expectClose(grads[0], wanted.grads[0], {...options, name: 'da'});
  expectClose(grads[1], wanted.grads[1], {...options, name: 'db'});
}
