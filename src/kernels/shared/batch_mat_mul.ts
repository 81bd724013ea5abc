import {broadcast_util, util} from '@tensorflow/tfjs-core';
import type {MatMulProblem} from './mat_mul';

type Shape = number[];

export interface BatchMatMulShape {
  /** The shape of the product. */
  shape: Shape;
  /** One product a matrix of the result, in order. */
  problems: MatMulProblem[];
}

/**
 * Splits tf.matMul into products of two matrices, broadcasting the leading axes.
 *
 * @throws If the inner sizes differ.
 */
export function batchMatMulProblems(
  a: Shape,
  b: Shape,
  transposeA: boolean,
  transposeB: boolean,
  accumulate: boolean,
): BatchMatMulShape {
  const [aRows, aColumns] = a.slice(-2);
  const [bRows, bColumns] = b.slice(-2);
  const [m, k] = transposeA ? [aColumns, aRows] : [aRows, aColumns];
  const [inner, n] = transposeB ? [bColumns, bRows] : [bRows, bColumns];
  util.assert(
    inner === k,
    () =>
      `matMul: b must have an inner size of ${k}, got ${inner} (shapes [${a}] and [${b}], ` +
      `transposeA ${transposeA}, transposeB ${transposeB})`,
  );
  const aBatch = a.slice(0, -2);
  const bBatch = b.slice(0, -2);
  const batch = broadcast_util.assertAndGetBroadcastShape(aBatch, bBatch);
  const aIndex = broadcastIndex(aBatch, batch);
  const bIndex = broadcastIndex(bBatch, batch);
  const problems = Array.from({length: util.sizeFromShape(batch)}, (_, i) => ({
    m,
    n,
    k,
    aOffset: aIndex(i) * m * k,
    aRowStride: transposeA ? 1 : k,
    aColumnStride: transposeA ? m : 1,
    bOffset: bIndex(i) * k * n,
    bRowStride: transposeB ? 1 : n,
    bColumnStride: transposeB ? k : 1,
    cOffset: i * m * n,
    cRowStride: n,
    accumulate,
  }));
  return {shape: [...batch, m, n], problems};
}

/** Maps the index of a matrix in the broadcast batch to that in an operand's own batch. */
function broadcastIndex(operand: Shape, batch: Shape): (index: number) => number {
  const strides = util.computeStrides([...operand, 1]);
  const missing = batch.length - operand.length;
  return (index) => {
    let [rest, result] = [index, 0];
    for (let axis = batch.length - 1; axis >= 0; axis--) {
      const coordinate = rest % batch[axis];
      rest = (rest - coordinate) / batch[axis];
      if (axis >= missing && operand[axis - missing] > 1) {
        result += coordinate * strides[axis - missing];
      }
    }
    return result;
  };
}
