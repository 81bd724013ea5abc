import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import type {TensorInfo} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {GroupedMatMul, type GroupedMatMulAttrs, type GroupedMatMulInputs} from '../../kernel_names';
import {groupedMatMulShape} from '../shared/GroupedMatMul_impl';
import {type MatMul, resultType, runMatMul, vectorOf} from './matmul';
import type {TileSize} from './matmul_program';
import {makeOutput} from './program';

export const groupedMatMulConfig = kernelConfig<
  GroupedMatMulInputs,
  GroupedMatMulAttrs,
  WebGPUBackend
>(GroupedMatMul, 'webgpu', ({inputs: {a, b, bins}, attrs, backend}) => {
  const y = makeOutput(backend, groupedMatMulShape(a.shape, b.shape, bins.shape[0], attrs));
  const product = attrs.transposeA
    ? productsOfGroups(a, b, bins, y)
    : groupsTimesMatrices(a, b, bins, y, attrs.transposeB);
  runMatMul(backend, {...product, precision: attrs.precision});
  return y;
});

/**
 * The bins as they are read: ascending and within the rows, whatever they hold, so that no bin makes a
 * kernel touch rows that are not there.
 */
const GROUP_END = `
  fn groupEnd(group : u32, begin : u32) -> u32 {
    return clamp(u32(max(bins[group], 0)), begin, uniforms.numRows);
  }`;

/**
 * Each group of rows times its matrix. The tiles of a group's rows follow those of the group before;
 * how many there are is known on the device only, so as many run as any bins could need, and the rest
 * return. The rows beyond the last bin are one more group, which sums over nothing.
 */
function groupsTimesMatrices(
  a: TensorInfo,
  b: TensorInfo,
  bins: TensorInfo,
  y: TensorInfo,
  transposeB: boolean,
): MatMul {
  const [numRows, depth] = a.shape;
  const [, columns] = y.shape;
  const numGroups = bins.shape[0];
  const [vectorA, vectorY] = [vectorOf(depth), vectorOf(columns)];
  return {
    source: {
      name: GroupedMatMul,
      variant: `groups times matrices ${vectorY}`,
      inputs: {bins: 'i32'},
      outputs: {y: resultType(vectorY)},
      uniforms: {
        numRows: 'u32',
        depth: 'u32',
        columns: 'u32',
        numGroups: 'u32',
        columnTiles: 'u32',
      },
      declarations: GROUP_END,
      a: {
        buffer: 'a',
        depthIsInner: true,
        vector: vectorA,
        base: (row) => `(${row} * uniforms.depth)`,
      },
      b: transposeB
        ? {
            buffer: 'b',
            depthIsInner: true,
            vector: vectorA,
            base: (column) => `((matrix * uniforms.columns + ${column}) * uniforms.depth)`,
          }
        : {
            buffer: 'b',
            depthIsInner: false,
            vector: vectorY,
            base: (k) => `((matrix * uniforms.depth + ${k}) * uniforms.columns)`,
          },
      tile: ({rows, columns}) => `
        let rowTile = group / uniforms.columnTiles;
        let columnBegin = group % uniforms.columnTiles * ${columns}u;
        let columnEnd = uniforms.columns;
        var matrix = 0u;
        var groupBegin = 0u;
        var rowEnd = 0u;
        var tileBegin = 0u;
        loop {
          rowEnd = uniforms.numRows;
          if (matrix < uniforms.numGroups) { rowEnd = groupEnd(matrix, groupBegin); }
          let tileEnd = tileBegin + (rowEnd - groupBegin + ${rows - 1}u) / ${rows}u;
          if (rowTile < tileEnd) { break; }
          if (matrix == uniforms.numGroups) { return; }
          matrix++;
          groupBegin = rowEnd;
          tileBegin = tileEnd;
        }
        let rowBegin = groupBegin + (rowTile - tileBegin) * ${rows}u;
        let depthBegin = 0u;
        let depthEnd = select(0u, uniforms.depth, matrix < uniforms.numGroups);`,
      resultIndex: (row, column) => `(${row} * uniforms.columns + ${column})`,
      resultStride: 'uniforms.columns',
      resultVector: vectorY,
    },
    a,
    b,
    y,
    inputs: {bins},
    uniforms: {numRows, depth, columns, numGroups},
    problem: {rows: Math.ceil(numRows / Math.max(numGroups, 1)), columns},
    workgroups: (tile) => mostRowTiles(numRows, numGroups + 1, tile) * columnTiles(columns, tile),
    tileUniforms: (tile) => ({columnTiles: columnTiles(columns, tile)}),
  };
}

/** Every group has at most one tile that its rows do not fill. */
function mostRowTiles(numRows: number, numGroups: number, {rows}: TileSize): number {
  return Math.floor(numRows / rows) + Math.min(numGroups, numRows);
}

function columnTiles(columns: number, tile: TileSize): number {
  return Math.ceil(columns / tile.columns);
}

/** The transposed rows of a times those of b, group by group: [E, K, M]. An empty group gives zero. */
function productsOfGroups(a: TensorInfo, b: TensorInfo, bins: TensorInfo, y: TensorInfo): MatMul {
  const [numGroups, rows, columns] = y.shape;
  const vectorY = vectorOf(columns);
  return {
    source: {
      name: GroupedMatMul,
      variant: `products of groups ${vectorY}`,
      inputs: {bins: 'i32'},
      outputs: {y: resultType(vectorY)},
      uniforms: {
        numRows: 'u32',
        rows: 'u32',
        columns: 'u32',
        rowTiles: 'u32',
        columnTiles: 'u32',
      },
      declarations: GROUP_END,
      a: {
        buffer: 'a',
        depthIsInner: false,
        vector: vectorOf(rows),
        base: (k) => `(${k} * uniforms.rows)`,
      },
      b: {
        buffer: 'b',
        depthIsInner: false,
        vector: vectorY,
        base: (k) => `(${k} * uniforms.columns)`,
      },
      tile: (tile) => `
        let columnBegin = group % uniforms.columnTiles * ${tile.columns}u;
        let rowBegin = group / uniforms.columnTiles % uniforms.rowTiles * ${tile.rows}u;
        let matrix = group / uniforms.columnTiles / uniforms.rowTiles;
        let rowEnd = uniforms.rows;
        let columnEnd = uniforms.columns;
        // A bin begins where the largest before it ends.
        var depthBegin = 0u;
        for (var i = 0u; i < matrix; i++) { depthBegin = groupEnd(i, depthBegin); }
        let depthEnd = groupEnd(matrix, depthBegin);`,
      resultIndex: (row, column) =>
        `((matrix * uniforms.rows + ${row}) * uniforms.columns + ${column})`,
      resultStride: 'uniforms.columns',
      resultVector: vectorY,
    },
    a,
    b,
    y,
    inputs: {bins},
    uniforms: {numRows: a.shape[0], rows, columns},
    problem: {rows, columns},
    workgroups: (tile) => numGroups * Math.ceil(rows / tile.rows) * columnTiles(columns, tile),
    tileUniforms: (tile) => ({
      rowTiles: Math.ceil(rows / tile.rows),
      columnTiles: columnTiles(columns, tile),
    }),
  };
}
