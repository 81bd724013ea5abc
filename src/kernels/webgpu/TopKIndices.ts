import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {kernelConfig} from '../../kernel';
import {TopKIndices, type TopKIndicesAttrs, type TopKIndicesInputs} from '../../kernel_names';
import {makeOutput, type Program, runProgram, workgroupsFor} from './program';
import {unroll} from './unroll';

/** As many as an invocation keeps in registers. */
const MAX_IN_REGISTERS = 16;
const ROWS_PER_WORKGROUP = 64;
const LANES = 128;

/**
 * A number for the bits of a float, greater for a greater float. Minus zero is as zero, and NaN the
 * greatest: as integers, since a GPU may take it that there is no NaN. None is 0.
 */
const ORDER_OF = `
  fn orderOf(bits : u32) -> u32 {
    let magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) { return 0xffffffffu; }
    if (magnitude == 0u) { return 0x80000000u; }
    return select(bits | 0x80000000u, ~bits, bits != magnitude);
  }`;

/**
 * One invocation a row: keeps the k largest so far in registers, in order. Neighbours read different
 * rows, which the cache holds until all of each line is read.
 */
function fewOfRowProgram(k: number, vector: 1 | 4): Program {
  return {
    name: TopKIndices,
    variant: `few ${k} ${vector}`,
    inputs: {x: vector === 4 ? 'vec4<u32>' : 'u32'},
    outputs: {indices: 'i32'},
    uniforms: {rows: 'u32', rowSize: 'u32'},
    workgroupSize: ROWS_PER_WORKGROUP,
    declarations: () => `
      ${unroll(k, (i) => `var<private> order${i} = 0u; var<private> column${i} = 0;`)}
      ${ORDER_OF}
      // An equal one of a lower column, which came before, stays before.
      fn insert(order : u32, column : i32) {
        if (order <= order${k - 1}) { return; }
        ${unroll(k - 1, (i) => {
          const [place, above] = [k - 1 - i, k - 2 - i];
          return `
            if (order > order${above}) {
              order${place} = order${above};
              column${place} = column${above};
            } else if (order > order${place}) {
              order${place} = order;
              column${place} = column;
            }`;
        })}
        if (order > order0) {
          order0 = order;
          column0 = column;
        }
      }`,
    main: () => `
      if (index >= uniforms.rows) { return; }
      let begin = index * uniforms.rowSize;
      for (var i = 0u; i < uniforms.rowSize; i++) {
        let values = x[begin + i];
        ${unroll(vector, (j) => {
          const value = vector === 4 ? `values[${j}]` : 'values';
          return `insert(orderOf(${value}), i32(i * ${vector}u + ${j}u));`;
        })}
      }
      ${unroll(k, (i) => `indices[index * ${k}u + ${i}u] = column${i};`)}`,
  };
}

/** One workgroup a row, one lane a column: its rank is how many others come before it. */
const MANY_OF_ROW: Program = {
  name: TopKIndices,
  variant: 'many',
  inputs: {x: 'u32'},
  outputs: {indices: 'i32'},
  uniforms: {numColumns: 'u32', k: 'u32'},
  workgroupSize: LANES,
  declarations: () => `
    var<workgroup> orders : array<u32, ${LANES}>;
    ${ORDER_OF}`,
  main: () => `
    let row = group * uniforms.numColumns;
    for (var begin = 0u; begin < uniforms.numColumns; begin += ${LANES}u) {
      let column = begin + lane;
      var order = 0u;
      if (column < uniforms.numColumns) { order = orderOf(x[row + column]); }
      var rank = 0u;
      for (var tile = 0u; tile < uniforms.numColumns; tile += ${LANES}u) {
        workgroupBarrier();
        if (tile + lane < uniforms.numColumns) { orders[lane] = orderOf(x[row + tile + lane]); }
        workgroupBarrier();
        for (var i = 0u; i < min(${LANES}u, uniforms.numColumns - tile); i++) {
          let isBefore = orders[i] > order || (orders[i] == order && tile + i < column);
          rank += select(0u, 1u, isBefore);
        }
      }
      if (column < uniforms.numColumns && rank < uniforms.k) {
        indices[group * uniforms.k + rank] = i32(column);
      }
    }`,
};

export const topKIndicesConfig = kernelConfig<TopKIndicesInputs, TopKIndicesAttrs, WebGPUBackend>(
  TopKIndices,
  'webgpu',
  ({inputs: {x}, attrs: {k}, backend}) => {
    const [rows, numColumns] = x.shape;
    const indices = makeOutput(backend, [rows, k], 'int32');
    if (k <= MAX_IN_REGISTERS) {
      const vector = numColumns % 4 === 0 ? 4 : 1;
      runProgram(backend, fewOfRowProgram(k, vector), {
        inputs: {x},
        outputs: {indices},
        uniforms: {rows, rowSize: numColumns / vector},
        workgroups: workgroupsFor(rows, ROWS_PER_WORKGROUP),
      });
    } else {
      runProgram(backend, MANY_OF_ROW, {
        inputs: {x},
        outputs: {indices},
        uniforms: {numColumns, k},
        workgroups: rows,
      });
    }
    return indices;
  },
);
