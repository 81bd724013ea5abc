import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import type {TensorInfo} from '@tensorflow/tfjs-core';
import type {SparseIndex, SparseSize} from '../../kernel_names';
import {
  declareSums,
  factorOf,
  productLoop,
  type ProductProgram,
  runTiled,
  storeSums,
  type Tile,
  tileWithin,
} from './product_tile';

// The two products of a block-sparse and a dense matrix with a dense result. Every fragment goes through
// the blocks of its row of blocks, or of its column of blocks where the sparse matrix comes second.

/** Which product. */
interface Kind {
  sparseFirst: boolean;
  sparseTransposed: boolean;
  denseTransposed: boolean;
}

export interface SparseProduct extends Kind {
  values: TensorInfo;
  dense: TensorInfo;
  index: SparseIndex;
  size: SparseSize;
  shape: number[];
}

export function runSparseProduct(
  backend: MathBackendWebGL,
  name: string,
  {values, dense, index, size, shape, ...kind}: SparseProduct,
): TensorInfo {
  const {blockSize, sparseRows, sparseColumns} = size;
  const inRowOrder = listsRows(kind);
  const lists: Record<string, TensorInfo> = inRowOrder
    ? {offsets: index.offsets, inner: index.columnIndices}
    : {
        offsets: index.offsetsT,
        inner: index.columnIndicesT,
        blocks: index.blockOffsetsT,
      };
  const tile = tileWithin(blockSize, shape, blockSize);
  return runTiled(backend, sparseProductProgram(name, tile, kind, blockSize), tile, {
    inputs: {values, dense, ...lists},
    shape,
    uniforms: {blockSize, innerBlocks: (inRowOrder ? sparseColumns : sparseRows) / blockSize},
  });
}

/** Whether a fragment's blocks are those of a row as it lies in memory. */
function listsRows({sparseFirst, sparseTransposed}: Kind): boolean {
  return sparseFirst !== sparseTransposed;
}

function sparseProductProgram(
  name: string,
  tile: Tile,
  kind: Kind,
  blockSize: number,
): ProductProgram {
  return {
    name,
    inputs: {
      values: 'packed',
      dense: 'packed',
      offsets: 'flat',
      inner: 'flat',
      ...(listsRows(kind) ? {} : {blocks: 'flat'}),
    },
    uniforms: {blockSize: 'int', innerBlocks: 'int'},
    main: blockSize % 2 === 0 ? texelByTexel(tile, kind) : elementByElement(kind),
  };
}

/** Runs `visit` for the used blocks of `list`; it sees `block` and where that lies, `innerBlock`. */
function forEachBlock(kind: Kind, visit: string): string {
  return `
    for (int i = offsetsInt(list); i < offsetsInt(list + 1); i++) {
      int innerBlock = innerInt(i);
      if (innerBlock < 0 || innerBlock >= innerBlocks) {
        continue;
      }
      int block = ${listsRows(kind) ? 'i' : 'blocksInt(i)'};
      ${visit}
    }`;
}

/** The coordinates of op(x) as those of x. */
function inMemory(isRow: boolean, along: string, step: string): string {
  return isRow ? `${along}, ${step}` : `${step}, ${along}`;
}

function texelByTexel(tile: Tile, kind: Kind): string {
  const {sparseFirst, sparseTransposed, denseTransposed} = kind;
  const [row, column] = [`rowTexel * ${tile.rows}`, `columnTexel * ${tile.columns}`];
  const [along, other] = sparseFirst ? [row, column] : [column, row];
  const [sparseCount, denseCount] = sparseFirst
    ? [tile.rows, tile.columns]
    : [tile.columns, tile.rows];
  const block = 'block * values_rowTexels';
  const sparse = factorOf('values', {
    count: sparseCount,
    ...(listsRows(kind)
      ? {first: `${block} + within`, stepsAlong: 'columns'}
      : {first: 'within', begin: block, stepsAlong: 'rows'}),
    transposed: sparseTransposed,
  });
  const dense = factorOf('dense', {
    count: denseCount,
    first: other,
    begin: 'innerBlock * blockTexels',
    stepsAlong: sparseFirst === denseTransposed ? 'columns' : 'rows',
    transposed: denseTransposed,
  });
  const [a, b] = sparseFirst ? [sparse, dense] : [dense, sparse];
  return `
    int blockTexels = blockSize / 2;
    int list = ${along} / blockTexels;
    int within = ${along} - list * blockTexels;
    ${declareSums(tile)}
    ${forEachBlock(kind, productLoop('blockSize', false, {tile, a, b}))}
    ${storeSums(tile)}`;
}

/** Where the block size is odd: the two of a texel may be of two blocks. */
function elementByElement(kind: Kind): string {
  const {sparseFirst, denseTransposed} = kind;
  const block = listsRows(kind)
    ? 'valuesValue(block * 2 * values_rowTexels + within, k)'
    : 'valuesValue(block * 2 * values_rowTexels + k, within)';
  const dense = `denseValue(${inMemory(sparseFirst === denseTransposed, 'other', 'innerBlock * blockSize + k')})`;
  return `
    for (int element = 0; element < 4; element++) {
      int row = 2 * rowTexel + element / 2;
      int column = 2 * columnTexel + element % 2;
      if (row >= out_rows || column >= out_columns) {
        continue;
      }
      int along = ${sparseFirst ? 'row' : 'column'};
      int other = ${sparseFirst ? 'column' : 'row'};
      int list = along / blockSize;
      int within = along - list * blockSize;
      float sum = 0.0;
      ${forEachBlock(
        kind,
        `
        for (int k = 0; k < blockSize; k++) {
          sum += ${block} * ${dense};
        }`,
      )}
      y00[element] = sum;
    }`;
}
