import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {type TensorInfo, util} from '@tensorflow/tfjs-core';
import {runProgram} from './program';
import {unroll} from './unroll';
import {sumBefore} from './workgroup_sums';

const LANES = 256;
const VALUES_PER_LANE = 4;
const TILE = LANES * VALUES_PER_LANE;

/** The sums along each row of x. */
export interface RowSums {
  name: string;
  x: TensorInfo;
  y: TensorInfo;
  exclusive: boolean;
  /** What is summed instead of the values themselves: a function `term(value : i32) -> i32`. */
  term?: {variant: string; declaration: string; uniforms: Record<string, number>};
}

const ITSELF = {
  variant: '',
  declaration: 'fn term(value : i32) -> i32 { return value; }',
  uniforms: {},
};

/**
 * y = the sums along each row of x, int32, of the last axis. One workgroup a row, a tile after the
 * other: rows are as long as there are experts, or tiles of keys to sort.
 */
export function sumRows(backend: WebGPUBackend, {name, x, y, exclusive, term = ITSELF}: RowSums) {
  const size = x.shape[x.shape.length - 1];
  const termUniforms = Object.keys(term.uniforms).map((key) => [key, 'u32'] as const);
  const program = {
    name,
    variant: `row sums ${exclusive} ${term.variant}`,
    inputs: {x: 'i32'},
    outputs: {y: 'i32'},
    uniforms: {size: 'u32' as const, ...Object.fromEntries(termUniforms)},
    workgroupSize: LANES,
    declarations: () => `
      var<workgroup> sums : array<i32, ${LANES}>;
      ${sumBefore('sums', LANES)}
      ${term.declaration}`,
    main: () => `
      let row = group * uniforms.size;
      var carry = 0;
      for (var begin = 0u; begin < uniforms.size; begin += ${TILE}u) {
        let first = begin + lane * ${VALUES_PER_LANE}u;
        var values = vec4i();
        ${unroll(
          VALUES_PER_LANE,
          (i) =>
            `if (first + ${i}u < uniforms.size) { values[${i}] = term(x[row + first + ${i}u]); }`,
        )}
        var sum = carry + sumBefore(values.x + values.y + values.z + values.w, lane);
        carry += sums[${LANES - 1}];
        ${unroll(
          VALUES_PER_LANE,
          (i) => `
            let before${i} = sum;
            sum += values[${i}];
            if (first + ${i}u < uniforms.size) {
              y[row + first + ${i}u] = ${exclusive ? `before${i}` : 'sum'};
            }`,
        )}
        // The next tile writes where this one was just read.
        workgroupBarrier();
      }`,
  };
  runProgram(backend, program, {
    inputs: {x},
    outputs: {y},
    uniforms: {size, ...term.uniforms},
    workgroups: util.sizeFromShape(x.shape.slice(0, -1)),
  });
}
