import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {kernelConfig} from '../../kernel';
import {TopKIndices, type TopKIndicesAttrs, type TopKIndicesInputs} from '../../kernel_names';
import {IS_NAN} from './nan_glsl';
import {type Program, runProgram} from './program';

/** The j-th largest is the largest of those after the one before it: j + 1 passes over the row. */
const PROGRAM: Program = {
  name: TopKIndices,
  inputs: {x: 'packed'},
  layout: 'flat',
  outputs: ['top'],
  uniforms: {k: 'int'},
  declarations: `
    ${IS_NAN}
    // NaN is the greatest, so that it is selected and shows; of equals, the first comes first.
    bool isBefore(float a, int aColumn, float b, int bColumn) {
      if (isNaN(a) || isNaN(b)) {
        return isNaN(a) && (!isNaN(b) || aColumn < bColumn);
      }
      return a > b || (a == b && aColumn < bColumn);
    }`,
  main: `
    int row = index / k;
    int rank = index - row * k;
    int last = -1;
    float lastValue = 0.0;
    for (int pass = 0; pass <= rank; pass++) {
      int best = -1;
      float bestValue = 0.0;
      for (int column = 0; column < x_columns; column++) {
        float value = xValue(row, column);
        if ((last < 0 || isBefore(lastValue, last, value, column)) &&
            (best < 0 || isBefore(value, column, bestValue, best))) {
          best = column;
          bestValue = value;
        }
      }
      last = best;
      lastValue = bestValue;
    }
    top = float(last);`,
};

export const topKIndicesConfig = kernelConfig<
  TopKIndicesInputs,
  TopKIndicesAttrs,
  MathBackendWebGL
>(TopKIndices, 'webgl', ({inputs: {x}, attrs: {k}, backend}) =>
  runProgram(backend, PROGRAM, {
    inputs: {x},
    shape: [x.shape[0], k],
    dtype: 'int32',
    uniforms: {k},
  }),
);
