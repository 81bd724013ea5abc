import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import type {TensorInfo} from '@tensorflow/tfjs-core';
import {type ElementType, type Program, runProgram, workgroupsFor} from './program';

// Rows of floats moved by an index, as the permutations and embeddings do.

const WORKGROUP_SIZE = 256;

/** How the lanes of a workgroup divide rows of `columns` elements among themselves. */
export interface RowLayout {
  /** The WGSL type of what a lane reads at once: 16 bytes where the rows allow it. */
  type: 'vec4<f32>' | 'f32';
  /** The length of a row, in elements of `type`. */
  columns: number;
  /** Lanes side by side on the columns, a power of two. */
  lanes: number;
  /** Elements that a lane holds at once, `lanes` apart: loads that wait for memory together. */
  perLane: number;
  /** How often `lanes * perLane` elements go into a row. */
  chunks: number;
}

/** Chunks of nearly equal size, of at most `maxLanes * maxPerLane` elements. */
export function rowLayout(rowSize: number, maxLanes: number, maxPerLane: number): RowLayout {
  const vector = rowSize % 4 === 0;
  const columns = vector ? rowSize / 4 : rowSize;
  let lanes = 1;
  while (lanes < maxLanes && lanes < columns) {
    lanes *= 2;
  }
  const chunks = Math.max(1, Math.ceil(columns / (lanes * maxPerLane)));
  const perLane = Math.max(1, Math.ceil(columns / (lanes * chunks)));
  return {type: vector ? 'vec4<f32>' : 'f32', columns, lanes, perLane, chunks};
}

/** Repeats WGSL for each of the elements that a lane holds. */
export function forEachElement({perLane}: RowLayout, code: (element: number) => string): string {
  return Array.from({length: perLane}, (_, element) => code(element)).join('\n');
}

/** Sets `row` and the columns of this lane, `column0` and so on; they stay within the row. */
export function findColumns(layout: RowLayout): string {
  const {lanes, perLane} = layout;
  return `
      let item = index / ${lanes}u;
      let row = item / uniforms.chunks;
      let column = item % uniforms.chunks * ${lanes * perLane}u + index % ${lanes}u;
      ${forEachElement(layout, (i) => `let column${i} = min(column + ${i * lanes}u, uniforms.columns - 1u);`)}`;
}

/** Writes sum0 and so on to a row of y. */
export function storeRow(layout: RowLayout, row = 'row'): string {
  return `
      let to = ${row} * uniforms.columns;
      ${forEachElement(layout, (i) => {
        const column = `column + ${i * layout.lanes}u`;
        return `if (${column} < uniforms.columns) { y[to + ${column}] = sum${i}; }`;
      })}`;
}

/** The rows that are summed to a row of the result, and where they are looked up. */
export interface RowSource {
  /** The kernel's name, and what else `declarations` depend on. */
  name: string;
  variant: string;
  /** How many rows are summed, in order. */
  terms: number;
  /** Whether rows have weights. */
  weighted: boolean;
  types: Record<string, ElementType>;
  inputs: Record<string, TensorInfo>;
  uniforms?: Record<string, number>;
  /** Declares `fn findTerm(row : u32, term : u32) -> Term`, and where rows are placed `fn placeOf(row : u32) -> i32`. */
  declarations: string;
  /** Whether rows of the result are not written in order, but each to its place, if it has one. */
  placed?: boolean;
}

/** What `findTerm` gives: a row of x, -1 for none, and its weight. */
const TERM = 'struct Term { row : i32, weight : f32 }';

/**
 * Up to 32 lanes a row, or a part of it where it is long, so that its index is looked up once for up
 * to 2 KiB and there are enough rows at a time to wait for memory together.
 */
function pullRowsProgram(source: RowSource, layout: RowLayout): Program {
  const {name, variant, terms, weighted, placed, types, declarations, uniforms = {}} = source;
  const {type, lanes, perLane} = layout;
  const weight = weighted ? 'term.weight * ' : '';
  return {
    name,
    variant: [variant, terms, weighted, placed, type, lanes, perLane].join(),
    inputs: {x: type, ...types},
    outputs: {y: type},
    uniforms: {
      numRows: 'u32',
      columns: 'u32',
      chunks: 'u32',
      ...Object.fromEntries(Object.keys(uniforms).map((uniform) => [uniform, 'i32' as const])),
    },
    workgroupSize: WORKGROUP_SIZE,
    declarations: () => TERM + declarations,
    main: () => `${findColumns(layout)}
      if (row >= uniforms.numRows) { return; }
      ${
        placed
          ? `
      let place = placeOf(row);
      if (place < 0) { return; }`
          : ''
      }
      ${forEachElement(layout, (i) => `var sum${i} = ${type}(0);`)}
      for (var i = 0u; i < ${terms}u; i++) {
        let term = findTerm(row, i);
        if (term.row >= 0) {
          let source = u32(term.row) * uniforms.columns;
          ${forEachElement(layout, (i) => `sum${i} += ${weight}x[source + column${i}];`)}
        }
      }
      ${storeRow(layout, placed ? 'u32(place)' : 'row')}`,
  };
}

/** y[row] = the sum of the rows of x that the source names for it, for `numRows` of them of `rowSize`. */
export function pullRows(
  backend: WebGPUBackend,
  source: RowSource,
  {x, y, numRows, rowSize}: {x: TensorInfo; y: TensorInfo; numRows: number; rowSize: number},
) {
  const layout = rowLayout(rowSize, 32, 4);
  const {lanes, columns, chunks} = layout;
  runProgram(backend, pullRowsProgram(source, layout), {
    inputs: {x, ...source.inputs},
    outputs: {y},
    uniforms: {numRows, columns, chunks, ...source.uniforms},
    workgroups: workgroupsFor(numRows * chunks * lanes, WORKGROUP_SIZE),
  });
}
