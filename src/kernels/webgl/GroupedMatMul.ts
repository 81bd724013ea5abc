import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {kernelConfig} from '../../kernel';
import {GroupedMatMul, type GroupedMatMulAttrs, type GroupedMatMulInputs} from '../../kernel_names';
import {groupedMatMulShape} from '../shared/GroupedMatMul_impl';
import {ascendingBins} from './ascending_bins';
import {ADD_PRODUCT, productLoop, TRANSPOSED} from './product_glsl';
import {type Program, runProgram1} from './program';
import {beginOf, upperBound} from './search_glsl';

/** Two rows a fragment, which may belong to two experts. */
function rowsTimesMatrices(transposeB: boolean, isOdd: boolean): Program {
  const b = (expert: string) =>
    transposeB
      ? `b(${expert} * b_rowTexels + columnTexel, k).${TRANSPOSED}`
      : `b(${expert} * b_rowTexels + k, columnTexel)`;
  const loop = (expert: string, sum: string) =>
    productLoop({size: 'a_columns', isOdd, a: 'a(rowTexel, k)', b: b(expert), sum});
  return {
    name: GroupedMatMul,
    inputs: {a: 'packed', b: 'packed', bins: 'flat'},
    layout: 'packed',
    outputs: ['y'],
    declarations: ADD_PRODUCT + upperBound('bins'),
    main: `
      int first = upperBound_bins(2 * rowTexel);
      int second = first < bins_size && binsInt(first) > 2 * rowTexel + 1
          ? first : upperBound_bins(2 * rowTexel + 1);
      vec4 sum = vec4(0.0);
      if (first < bins_size) {
        ${loop('first', 'sum')}
      }
      y = sum;
      if (second != first) {
        sum = vec4(0.0);
        if (second < bins_size) {
          ${loop('second', 'sum')}
        }
        y.zw = sum.zw;
      }`,
  };
}

/** Every expert's fragments go through its rows; the first and the last texel may be shared. */
function productsOfGroups(): Program {
  return {
    name: GroupedMatMul,
    inputs: {a: 'packed', b: 'packed', bins: 'flat'},
    layout: 'packed',
    outputs: ['y'],
    declarations: ADD_PRODUCT + beginOf('bins'),
    main: `
      int expert = rowTexel / out_rowTexels;
      int column = rowTexel - expert * out_rowTexels;
      int begin = begin_bins(expert);
      int end = min(binsInt(expert), a_rows);
      vec4 sum = vec4(0.0);
      if (begin < end && (begin & 1) == 1) {
        sum += a(begin >> 1, column).zzww * b(begin >> 1, columnTexel).zwzw;
        begin++;
      }
      for (int k = begin >> 1; k < end >> 1; k++) {
        addProduct(sum, a(k, column).${TRANSPOSED}, b(k, columnTexel));
      }
      if (begin < end && (end & 1) == 1) {
        sum += a(end >> 1, column).xxyy * b(end >> 1, columnTexel).xyxy;
      }
      y = sum;`,
  };
}

export const groupedMatMulConfig = kernelConfig<
  GroupedMatMulInputs,
  GroupedMatMulAttrs,
  MathBackendWebGL
>(GroupedMatMul, 'webgl', ({inputs: {a, b, bins}, attrs, backend}) => {
  const ascending = ascendingBins(backend, GroupedMatMul, bins);
  const program = attrs.transposeA
    ? productsOfGroups()
    : rowsTimesMatrices(attrs.transposeB, a.shape[1] % 2 === 1);
  const product = runProgram1(backend, program, {
    inputs: {a, b, bins: ascending},
    shape: groupedMatMulShape(a.shape, b.shape, bins.shape[0], attrs),
  });
  backend.disposeIntermediateTensorInfo(ascending);
  return product;
});
