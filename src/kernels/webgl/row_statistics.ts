import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import type {TensorInfo} from '@tensorflow/tfjs-core';
import {type Program, runProgram} from './program';

/**
 * A sum over the columns of two rows at once, with the elements beyond an odd edge left out.
 *
 * @param term Two times two elements, in terms of `columnTexel`.
 */
export function sumOfRows(sum: string, term: string, columns: number): string {
  return `
    vec2 ${sum} = vec2(0.0);
    for (int columnTexel = 0; columnTexel < x_columns / 2; columnTexel++) {
      vec4 term = ${term};
      ${sum} += term.xz + term.yw;
    }
    ${
      columns % 2 === 1
        ? `{
      int columnTexel = x_columns / 2;
      ${sum} += (${term}).xz;
    }`
        : ''
    }`;
}

/** Two rows a fragment: the mean, and 1 / sqrt(variance + epsilon). */
function statisticsProgram(name: string, columns: number): Program {
  return {
    name,
    inputs: {x: 'packed'},
    layout: 'packed',
    outputs: ['statistics'],
    uniforms: {epsilon: 'float'},
    declarations: `
      vec4 squares(vec4 x, vec2 mean) {
        vec4 difference = x - mean.xxyy;
        return difference * difference;
      }`,
    main: `
      ${sumOfRows('total', 'x(rowTexel, columnTexel)', columns)}
      vec2 mean = total / float(x_columns);
      ${sumOfRows('deviation', 'squares(x(rowTexel, columnTexel), mean)', columns)}
      vec2 scale = inversesqrt(deviation / float(x_columns) + epsilon);
      statistics = vec4(mean.x, scale.x, mean.y, scale.y);`,
  };
}

/** x [N, H] -> [N, 2]: the mean of every row, and 1 / sqrt(variance + epsilon). */
export function rowStatistics(
  backend: MathBackendWebGL,
  kernelName: string,
  x: TensorInfo,
  epsilon: number,
): TensorInfo {
  const [rows, columns] = x.shape;
  return runProgram(backend, statisticsProgram(kernelName, columns), {
    inputs: {x},
    shape: [rows, 2],
    uniforms: {epsilon},
  });
}

/** `normalize(x, statistics)`: two times two elements of two rows, from a texel of `rowStatistics`. */
export const NORMALIZE = `
  vec4 normalizeRows(vec4 x, vec4 statistics) {
    return (x - statistics.xxzz) * statistics.yyww;
  }`;
