import type {GroupedMatMulAttrs} from '../../kernel_names';
import type {MatMulProblem} from './mat_mul';

type Shape = readonly number[];

/** The shape of the result, from those of a, b and bins. */
export function groupedMatMulShape(
  a: Shape,
  b: Shape,
  numBins: number,
  {transposeA, transposeB}: GroupedMatMulAttrs,
): number[] {
  return transposeA ? [numBins, a[1], b[1]] : [a[0], transposeB ? b[1] : b[2]];
}

/**
 * Splits the grouped product into one dense product a bin and hands each to `matMul`, empty ones too,
 * so that every element of the result is written.
 */
export function groupedMatMul(
  a: Shape,
  b: Shape,
  bins: Int32Array,
  {transposeA, transposeB}: GroupedMatMulAttrs,
  matMul: (problem: MatMulProblem) => void,
) {
  const [numRows, k] = a;
  const n = transposeA || !transposeB ? b[b.length - 1] : b[1];
  let begin = 0;
  for (let bin = 0; bin < bins.length; bin++) {
    // Whatever the bins say, no product reads or writes beyond the rows there are.
    const end = Math.min(Math.max(bins[bin], begin), numRows);
    const rows = end - begin;
    if (transposeA) {
      // out[bin] = a[begin:end]' b[begin:end]
      matMul({
        m: k,
        n,
        k: rows,
        aOffset: begin * k,
        aRowStride: 1,
        aColumnStride: k,
        bOffset: begin * n,
        bRowStride: n,
        bColumnStride: 1,
        cOffset: bin * k * n,
        cRowStride: n,
        accumulate: false,
      });
    } else {
      // out[begin:end] = a[begin:end] b[bin] or a[begin:end] b[bin]'
      matMul({
        m: rows,
        n,
        k,
        aOffset: begin * k,
        aRowStride: k,
        aColumnStride: 1,
        bOffset: bin * k * n,
        bRowStride: transposeB ? 1 : n,
        bColumnStride: transposeB ? k : 1,
        cOffset: begin * n,
        cRowStride: n,
        accumulate: false,
      });
    }
    begin = end;
  }
  if (!transposeA && begin < numRows) {
    // Rows beyond the last bin are a product of nothing: zero.
    matMul({
      m: numRows - begin,
      n,
      k: 0,
      aOffset: 0,
      aRowStride: k,
      aColumnStride: 1,
      bOffset: 0,
      bRowStride: n,
      bColumnStride: 1,
      cOffset: begin * n,
      cRowStride: n,
      accumulate: false,
    });
  }
}
