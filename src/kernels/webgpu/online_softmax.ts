import type {AttentionCode} from './attention_tiles';
import {MASKED} from './attention_wgsl';
import {unroll} from './unroll';

/**
 * WGSL for the softmax of scores s that come tile by tile. `update` turns the s of a tile into weights
 * relative to `largest`, the largest score of the row so far, and adds them to `weight`, of this lane's
 * columns alone; what was summed before is to be multiplied by `decay`. All are vectors of four rows.
 */
export function onlineSoftmax(code: AttentionCode): {declare: string; update: string} {
  const rowGroups = code.laneRows / 4;
  const {columnGroups} = code;
  const largest = (r: number) => {
    const vectors = Array.from({length: columnGroups}, (_, g) => `s_${r}_${g}`);
    const all = vectors.reduce((a, b) => `max(${a}, ${b})`);
    return `{ let v = ${all}; tileLargest_${r >> 2}[${r & 3}] = max(max(v.x, v.y), max(v.z, v.w)); }`;
  };
  const declare = unroll(
    rowGroups,
    (i) => `
      var largest_${i} = vec4f(${MASKED});
      var weight_${i} = vec4f();
      var tileLargest_${i} = vec4f();`,
  );
  const update = `
    ${code.eachVector(columnGroups, (r, g) => `s_${r}_${g} *= uniforms.scale;`)}
    if (columnBegin + ${code.columns}u > rowBegin + 1u) {
      ${code.eachVector(
        columnGroups,
        (r, g) =>
          `s_${r}_${g} = select(s_${r}_${g}, vec4f(${MASKED}), ${code.columnVector(g)} > vec4<u32>${code.row(r)});`,
      )}
    }
    ${code.eachRow(largest)}
    ${code.reduceRows('tileLargest', (a, b) => `max(${a}, ${b})`)}
    ${unroll(
      rowGroups,
      (i) => `
        let newLargest_${i} = max(largest_${i}, tileLargest_${i});
        let decay_${i} = exp(largest_${i} - newLargest_${i});
        largest_${i} = newLargest_${i};
        weight_${i} *= decay_${i};`,
    )}
    ${code.eachVector(
      columnGroups,
      (r, g) => `
        s_${r}_${g} = exp4(s_${r}_${g} - largest_${r >> 2}[${r & 3}]);
        weight_${r >> 2}[${r & 3}] += dot(s_${r}_${g}, vec4f(1));`,
    )}`;
  return {declare, update};
}
