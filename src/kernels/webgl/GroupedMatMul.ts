import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {kernelConfig} from '../../kernel';
import {GroupedMatMul, type GroupedMatMulAttrs, type GroupedMatMulInputs} from '../../kernel_names';
import {groupedMatMulShape} from '../shared/GroupedMatMul_impl';
import {ascendingBins} from './ascending_bins';
import {
  addProducts,
  addStep,
  declareSums,
  factorOf,
  prepareFactors,
  productLoop,
  type ProductProgram,
  runTiled,
  storeRows,
  storeSums,
  type Tile,
  tileFor,
} from './product_tile';
import {beginOf, upperBound} from './search_glsl';

const INPUTS = {a: 'packed', b: 'packed', bins: 'flat'} as const;

/** The rows of a tile may belong to several experts, nearly always to one. */
function rowsTimesMatrices(tile: Tile, transposeB: boolean, isOdd: boolean): ProductProgram {
  const numRows = 2 * tile.rows;
  const a = factorOf('a', {
    count: tile.rows,
    first: `rowTexel * ${tile.rows}`,
    stepsAlong: 'columns',
    transposed: false,
  });
  const column = `columnTexel * ${tile.columns}`;
  const b = factorOf('b', {
    count: tile.columns,
    ...(transposeB
      ? {first: `expert * b_rowTexels + ${column}`, stepsAlong: 'columns', transposed: true}
      : {first: column, begin: 'expert * b_rowTexels', stepsAlong: 'rows', transposed: false}),
  });
  return {
    name: GroupedMatMul,
    inputs: INPUTS,
    declarations: upperBound('bins') + beginOf('bins'),
    main: `
      int row = rowTexel * ${numRows};
      for (int expert = upperBound_bins(row); expert < bins_size; expert++) {
        int begin = begin_bins(expert);
        int end = binsInt(expert);
        if (begin >= row + ${numRows}) {
          break;
        }
        if (begin == end) {
          continue;
        }
        ${declareSums(tile)}
        ${productLoop('a_columns', isOdd, {tile, a, b})}
        ${storeRows(tile, (i) => `row + ${i} >= begin && row + ${i} < end`)}
      }`,
  };
}

/** Every expert's fragments go through its rows; the first and the last texel may be shared. */
function productsOfGroups(tile: Tile): ProductProgram {
  const a = factorOf('a', {
    count: tile.rows,
    first: 'column',
    stepsAlong: 'rows',
    transposed: true,
  });
  const b = factorOf('b', {
    count: tile.columns,
    first: `columnTexel * ${tile.columns}`,
    stepsAlong: 'rows',
    transposed: false,
  });
  const factors = {tile, a, b};
  return {
    name: GroupedMatMul,
    inputs: INPUTS,
    declarations: beginOf('bins'),
    main: `
      int expert = rowTexel / out_rowTexels;
      int column = (rowTexel - expert * out_rowTexels) * ${tile.rows};
      int begin = begin_bins(expert);
      int end = min(binsInt(expert), a_rows);
      ${declareSums(tile)}
      ${prepareFactors(factors)}
      if (begin < end && begin % 2 == 1) {
        int k = begin / 2;
        ${addStep(factors, 1)}
        begin++;
      }
      for (int k = begin / 2; k < end / 2; k++) ${addProducts(factors)}
      if (begin < end && end % 2 == 1) {
        int k = end / 2;
        ${addStep(factors, 0)}
      }
      ${storeSums(tile)}`,
  };
}

export const groupedMatMulConfig = kernelConfig<
  GroupedMatMulInputs,
  GroupedMatMulAttrs,
  MathBackendWebGL
>(GroupedMatMul, 'webgl', ({inputs: {a, b, bins}, attrs, backend}) => {
  const {transposeA, transposeB} = attrs;
  const [numRows, inner] = a.shape;
  const shape = groupedMatMulShape(a.shape, b.shape, bins.shape[0], attrs);
  const tile = tileFor(shape, transposeA ? numRows / bins.shape[0] : inner);
  const program = transposeA
    ? productsOfGroups(tile)
    : rowsTimesMatrices(tile, transposeB, inner % 2 === 1);
  const ascending = ascendingBins(backend, GroupedMatMul, bins);
  const product = runTiled(backend, program, tile, {inputs: {a, b, bins: ascending}, shape});
  backend.disposeIntermediateTensorInfo(ascending);
  return product;
});
