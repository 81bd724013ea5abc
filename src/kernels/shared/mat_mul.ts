/**
 * One dense product: c[m, n] = a[m, k] b[k, n], added to c where `accumulate` is set. Offsets and
 * strides are in elements; in a and in b one of the two strides is 1.
 */
export interface MatMulProblem {
  m: number;
  n: number;
  k: number;
  aOffset: number;
  aRowStride: number;
  aColumnStride: number;
  bOffset: number;
  bRowStride: number;
  bColumnStride: number;
  cOffset: number;
  cRowStride: number;
  accumulate: boolean;
}

/** The plain form, on typed arrays: the reference. */
export function matMul(problem: MatMulProblem, a: Float32Array, b: Float32Array, c: Float32Array) {
  const {m, n, k, aRowStride, aColumnStride, bRowStride, bColumnStride, cRowStride} = problem;
  for (let i = 0; i < m; i++) {
    const out = c.subarray(problem.cOffset + i * cRowStride, problem.cOffset + i * cRowStride + n);
    if (!problem.accumulate) {
      out.fill(0);
    }
    for (let l = 0; l < k; l++) {
      const factor = a[problem.aOffset + i * aRowStride + l * aColumnStride];
      const bRow = problem.bOffset + l * bRowStride;
      for (let j = 0; j < n; j++) {
        out[j] += factor * b[bRow + j * bColumnStride];
      }
    }
  }
}
