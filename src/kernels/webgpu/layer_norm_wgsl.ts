import {sumOf} from './float_wgsl';
import type {RowLanes, RowValue} from './row_lanes';

/**
 * WGSL statements that declare the `mean` of a row and `scale`, 1 / sqrt(variance + epsilon). The
 * program must have the reduction `sumOverRow`, and the uniforms `size` and `epsilon`.
 *
 * The variance is that of the differences from the mean, which is right for a mean far from zero.
 */
export function rowStatistics(row: RowLanes, x: RowValue): string {
  return `
    var sum = 0.0;
    ${row.forEach((get) => `sum += ${sumOf(row.type, get(x))};`)}
    let mean = sumOverRow(lane, sum) / uniforms.size;
    var squares = 0.0;
    ${row.forEach(
      (get) => `
        let difference = ${get(x)} - mean;
        squares += ${sumOf(row.type, 'difference * difference')};`,
    )}
    let scale = 1 / sqrt(sumOverRow(lane, squares) / uniforms.size + uniforms.epsilon);`;
}
