import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {BatchMatMul, broadcast_util, type TensorInfo, util} from '@tensorflow/tfjs-core';
import {
  declareSums,
  factorOf,
  productLoop,
  type ProductProgram,
  runTiled,
  storeSums,
  type Tile,
  tileFor,
} from './product_tile';

interface DenseMatMul {
  a: TensorInfo;
  b: TensorInfo;
  transposeA: boolean;
  transposeB: boolean;
}

/**
 * The product of two matrices, or of as many as the leading axes hold, which broadcast.
 *
 * @throws If the inner sizes differ.
 */
export function denseMatMul(
  backend: MathBackendWebGL,
  {a, b, transposeA, transposeB}: DenseMatMul,
): TensorInfo {
  const [aRows, aColumns] = a.shape.slice(-2);
  const [bRows, bColumns] = b.shape.slice(-2);
  const [rows, inner] = transposeA ? [aColumns, aRows] : [aRows, aColumns];
  const [innerOfB, columns] = transposeB ? [bColumns, bRows] : [bRows, bColumns];
  util.assert(
    innerOfB === inner,
    () =>
      `matMul: b must have an inner size of ${inner}, got ${innerOfB} (shapes [${a.shape}] and ` +
      `[${b.shape}], transposeA ${transposeA}, transposeB ${transposeB})`,
  );
  const [aBatch, bBatch] = [a.shape.slice(0, -2), b.shape.slice(0, -2)];
  const batch = broadcast_util.assertAndGetBroadcastShape(aBatch, bBatch);
  const shape = [...batch, rows, columns];
  const tile = tileFor(shape, inner);
  const program = matMulProgram({
    tile,
    transposeA,
    transposeB,
    isOdd: inner % 2 === 1,
    aMatrix: matrixOf(aBatch, batch),
    bMatrix: matrixOf(bBatch, batch),
  });
  return runTiled(backend, program, tile, {inputs: {a, b}, shape, uniforms: {inner}});
}

/** GLSL: which matrix of an operand the one `batch` of the result is of. */
function matrixOf(operand: number[], batch: number[]): string {
  const size = util.sizeFromShape(operand);
  if (size === util.sizeFromShape(batch)) {
    return 'batch';
  }
  if (size === 1) {
    return '0';
  }
  const strides = util.computeStrides([...batch, 1]);
  const ownStrides = util.computeStrides([...operand, 1]);
  const missing = batch.length - operand.length;
  const terms = operand.flatMap((length, axis) =>
    length === 1 ? [] : [`batch / ${strides[axis + missing]} % ${length} * ${ownStrides[axis]}`],
  );
  return terms.join(' + ');
}

interface MatMulVariant {
  tile: Tile;
  transposeA: boolean;
  transposeB: boolean;
  isOdd: boolean;
  aMatrix: string;
  bMatrix: string;
}

function matMulProgram({
  tile,
  transposeA,
  transposeB,
  isOdd,
  aMatrix,
  bMatrix,
}: MatMulVariant): ProductProgram {
  const operand = (input: 'a' | 'b', transposed: boolean, count: number, first: string) => {
    const begin = `${input}Matrix * ${input}_rowTexels`;
    return factorOf(input, {
      count,
      ...((input === 'a') === transposed
        ? {first, begin, stepsAlong: 'rows'}
        : {first: `${begin} + ${first}`, stepsAlong: 'columns'}),
      transposed,
    });
  };
  return {
    name: BatchMatMul,
    inputs: {a: 'packed', b: 'packed'},
    uniforms: {inner: 'int'},
    main: `
      int batch = rowTexel / out_rowTexels;
      int row = (rowTexel - batch * out_rowTexels) * ${tile.rows};
      int column = columnTexel * ${tile.columns};
      int aMatrix = ${aMatrix};
      int bMatrix = ${bMatrix};
      ${declareSums(tile)}
      ${productLoop('inner', isOdd, {
        tile,
        a: operand('a', transposeA, tile.rows, 'row'),
        b: operand('b', transposeB, tile.columns, 'column'),
      })}
      ${storeSums(tile)}`,
  };
}
