import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {kernelConfig} from '../../kernel';
import {Sdd, type SddInputs, type SparseAttrs} from '../../kernel_names';
import {
  declareSums,
  type Factor,
  factorOf,
  productLoop,
  type ProductProgram,
  runTiled,
  storeSums,
  type Tile,
  tileWithin,
  TRANSPOSED,
} from './product_tile';

/** op(x) from a row or column of a block on; its texels are those of x where the block size is even. */
function operand(
  input: 'a' | 'b',
  count: number,
  {first, transposed, isEven}: {first: string; transposed: boolean; isEven: boolean},
): Factor {
  const alongColumns = (input === 'a') !== transposed;
  if (isEven) {
    return factorOf(input, {
      count,
      first: `${first} / 2`,
      stepsAlong: alongColumns ? 'columns' : 'rows',
      transposed,
    });
  }
  const load = (i: number) => {
    const position = alongColumns ? `${first} + ${2 * i}, 2 * k` : `2 * k, ${first} + ${2 * i}`;
    return `${input}Quad(${position})${transposed ? `.${TRANSPOSED}` : ''}`;
  };
  return {prepare: '', step: '', load};
}

function sddProgram(
  tile: Tile,
  {blockSize, transposeA, transposeB}: SparseAttrs,
  isOdd: boolean,
): ProductProgram {
  const isEven = blockSize % 2 === 0;
  const a = operand('a', tile.rows, {first: 'row', transposed: transposeA, isEven});
  const b = operand('b', tile.columns, {first: 'column', transposed: transposeB, isEven});
  return {
    name: Sdd,
    inputs: {a: 'packed', b: 'packed', rowIndices: 'flat', columnIndices: 'flat'},
    uniforms: {blockSize: 'int', blockRows: 'int', blockColumns: 'int', inner: 'int'},
    main: `
      int block = rowTexel / out_rowTexels;
      int blockRow = rowIndicesInt(block);
      int blockColumn = columnIndicesInt(block);
      if (blockRow < 0 || blockRow >= blockRows || blockColumn < 0 || blockColumn >= blockColumns) {
        return;
      }
      int row = blockRow * blockSize + (rowTexel - block * out_rowTexels) * ${2 * tile.rows};
      int column = blockColumn * blockSize + columnTexel * ${2 * tile.columns};
      ${declareSums(tile)}
      ${productLoop('inner', isOdd, {tile, a, b})}
      ${storeSums(tile)}`,
  };
}

export const sddConfig = kernelConfig<SddInputs, SparseAttrs, MathBackendWebGL>(
  Sdd,
  'webgl',
  ({inputs: {a, b, rowIndices, columnIndices}, attrs, backend}) => {
    const {blockSize, sparseRows, sparseColumns, transposeA} = attrs;
    const inner = a.shape[transposeA ? 0 : 1];
    const shape = [columnIndices.shape[0], blockSize, blockSize];
    const tile = tileWithin(blockSize, shape, inner);
    return runTiled(backend, sddProgram(tile, attrs, inner % 2 === 1), tile, {
      inputs: {a, b, rowIndices, columnIndices},
      shape,
      uniforms: {
        blockSize,
        blockRows: sparseRows / blockSize,
        blockColumns: sparseColumns / blockSize,
        inner,
      },
    });
  },
);
