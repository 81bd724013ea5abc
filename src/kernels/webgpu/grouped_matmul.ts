import type {TensorInfo} from '@tensorflow/tfjs-core';
import {type MatMul, resultType, vectorOf} from './matmul';
import {bandedTile, type MatMulEpilogue, type MatMulResult, type TileSize} from './matmul_program';
import {unroll} from './unroll';

// The products of groups of rows: each group with a matrix of its own, or the groups of two matrices with
// each other.

/** Rows that are read where their tokens lie: row p is row floor(indices[p] / topK). */
export interface GatheredRows {
  indices: TensorInfo;
  topK: number;
}

/** Rows that are written by copy: row p to indices[p], times weights[indices[p]]. */
export interface ScatteredRows {
  indices: TensorInfo;
  weights?: TensorInfo;
}

/**
 * The bins as they are read: ascending and within the rows, whatever they hold, so that no bin makes a
 * kernel touch rows that are not there.
 */
const GROUPS = `
  var<workgroup> foundByFirst : vec2u;

  fn groupEnd(number : u32, begin : u32) -> u32 {
    return clamp(u32(max(bins[number], 0)), begin, uniforms.numRows);
  }`;

/**
 * WGSL statements that go through the bins of the groups before `end`, in order, as `number` and `bin`.
 * Several are read together: one after another, each would wait for the memory by itself.
 */
function eachBin(
  {unroll: together}: TileSize,
  end: string,
  each: (number: string, bin: string) => string,
  goOn = 'true',
): string {
  const number = (i: number) => `min(first + ${i}u, ${end} - 1u)`;
  return `
    for (var first = 0u; first < ${end} && ${goOn}; first += ${together}u) {
      ${unroll(together, (i) => `let bin_${i} = u32(max(bins[${number(i)}], 0));`)}
      ${unroll(together, (i) => each(number(i), `bin_${i}`))}
    }`;
}

/**
 * The same where each lane of a subgroup takes one of them, so that many take no longer than a few. Lanes
 * that are left over read the last bin, by a number that is no group's.
 */
function eachBinOfLanes(subgroupSize: number, end: string, each: string): string {
  return `
    for (var first = 0u; first < ${end}; first += ${subgroupSize}u) {
      let number = first + subgroup_invocation_id;
      let bin = u32(max(bins[min(number, ${end} - 1u)], 0));
      ${each}
    }`;
}

/** WGSL statements that declare `name` as a value, vec2u, that the compiler knows to be the same for all. */
function sameForAll(name: string, value: string): string {
  return `
    if (lane == 0u) { foundByFirst = ${value}; }
    let ${name} = workgroupUniformLoad(&foundByFirst);`;
}

/**
 * WGSL statements that declare, as u32, `matrix`: the first group whose tiles are not all before number
 * `rowTile`, and `groupBegin`: where its rows begin.
 */
function findGroup(tile: TileSize, subgroupSize: number | undefined): string {
  if (subgroupSize == null) {
    return `
      var matrix = 0u;
      var groupBegin = 0u;
      var end = 0u;
      ${eachBin(
        tile,
        'uniforms.numGroups',
        (number, bin) => `{
          end = min(max(end, ${bin}), uniforms.numRows);
          let isBefore = rowTile > end / ${tile.rows}u + ${number};
          matrix = select(matrix, ${number} + 1u, isBefore);
          groupBegin = select(groupBegin, end, isBefore);
        }`,
        'matrix == first',
      )}`;
  }
  // A group ends where its bin says or one before it, the latest of them. So by each bin, the tile belongs
  // at the latest to this group or one after it.
  return `
    var matrixOfLanes = uniforms.numGroups;
    var beginOfLanes = 0u;
    ${eachBinOfLanes(
      subgroupSize,
      'uniforms.numGroups',
      `
      let end = min(bin, uniforms.numRows);
      let latest = max(number, rowTile - min(rowTile, end / ${tile.rows}u));
      matrixOfLanes = min(matrixOfLanes, subgroupMin(latest));
      beginOfLanes = max(beginOfLanes, subgroupMax(select(0u, end, number < matrixOfLanes)));`,
    )}
    ${sameForAll('found', 'vec2u(matrixOfLanes, beginOfLanes)')}
    let matrix = found.x;
    let groupBegin = found.y;`;
}

/** WGSL statements that declare `groupBegin`, u32, where the rows of group `matrix` begin. */
function findBegin(tile: TileSize, subgroupSize: number | undefined): string {
  if (subgroupSize == null) {
    return `
      var begin = 0u;
      ${eachBin(tile, 'matrix', (_, bin) => `begin = max(begin, ${bin});`)}
      let groupBegin = min(begin, uniforms.numRows);`;
  }
  return `
    var beginOfLanes = 0u;
    ${eachBinOfLanes(subgroupSize, 'matrix', 'beginOfLanes = max(beginOfLanes, subgroupMax(bin));')}
    ${sameForAll('found', 'vec2u(beginOfLanes, 0u)')}
    let groupBegin = min(found.x, uniforms.numRows);`;
}

/** WGSL of type u32: the row of a gathered matrix. */
function gatheredRow(row: string, gathered: GatheredRows | undefined): string {
  return gathered == null ? row : `(u32(indices[${row}]) / ${gathered.topK}u)`;
}

/** What an epilogue takes the place of the plain result with. */
export interface GroupedEpilogue {
  variant: string;
  inputs: Record<string, TensorInfo>;
  inputTypes: Record<string, string>;
  outputs: Record<string, TensorInfo>;
  outputTypes: Record<string, string>;
  uniforms?: Record<string, number>;
  declarations: string;
  result: MatMulEpilogue;
}

/**
 * Each group of rows times its matrix. How many tiles a group has is known on the device only: with R
 * rows a tile, those of group e that begins at row b are numbered from floor(b / R) + e on, which leaves
 * enough numbers to each group, whatever the bins; a tile that is left over returns. The rows beyond the
 * last bin are one more group, which sums over nothing.
 */
export function groupsTimesMatrices(
  name: string,
  {
    a,
    b,
    bins,
    y,
    numRows = y?.shape[0] ?? 0,
    transposeB,
    gatherA,
    scatter,
    epilogue,
  }: {
    a: TensorInfo;
    b: TensorInfo;
    bins: TensorInfo;
    y?: TensorInfo;
    numRows?: number;
    transposeB: boolean;
    gatherA?: GatheredRows;
    scatter?: ScatteredRows;
    epilogue?: GroupedEpilogue;
  },
): MatMul {
  const depth = a.shape[1];
  const columns = transposeB ? b.shape[1] : b.shape[2];
  const numGroups = bins.shape[0];
  const [vectorA, vectorY] = [vectorOf(depth), vectorOf(columns)];
  const indices = gatherA?.indices ?? scatter?.indices;
  const routing = {bins, ...(indices && {indices}), ...epilogue?.inputs};
  const plain = plainResult(vectorY, scatter);
  // With those of the rows beyond the last bin.
  const rowTiles = ({rows}: TileSize) => Math.floor(numRows / rows) + numGroups + 1;
  return {
    source: {
      name,
      variant: [
        'groups times matrices',
        vectorY,
        gatherA?.topK,
        scatter && `scatter ${scatter.weights != null}`,
        epilogue?.variant,
      ].join(' '),
      inputs: {
        bins: 'i32',
        ...(indices && {indices: 'i32'}),
        ...(scatter?.weights && {weights: 'f32'}),
        ...epilogue?.inputTypes,
      },
      outputs: epilogue?.outputTypes ?? {y: resultType(vectorY)},
      uniforms: {
        numRows: 'u32',
        depth: 'u32',
        columns: 'u32',
        numGroups: 'u32',
        rowTiles: 'u32',
        columnTiles: 'u32',
        ...Object.fromEntries(
          Object.keys(epilogue?.uniforms ?? {}).map((name) => [name, 'u32' as const]),
        ),
      },
      declarations: [GROUPS, epilogue?.declarations].join('\n'),
      a: {
        buffer: 'a',
        depthIsInner: true,
        vector: vectorA,
        base: (row) => `(${gatheredRow(row, gatherA)} * uniforms.depth)`,
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
      tile: (tile, subgroupSize) => `
        ${bandedTile('group', 'uniforms.rowTiles', 'uniforms.columnTiles')}
        let columnBegin = columnTile * ${tile.columns}u;
        let columnEnd = uniforms.columns;
        ${findGroup(tile, subgroupSize)}
        var rowEnd = uniforms.numRows;
        if (matrix < uniforms.numGroups) { rowEnd = groupEnd(matrix, groupBegin); }
        let rowBegin = groupBegin + (rowTile - groupBegin / ${tile.rows}u - matrix) * ${tile.rows}u;
        if (rowBegin >= rowEnd) { return; }
        let depthBegin = 0u;
        let depthEnd = select(0u, uniforms.depth, matrix < uniforms.numGroups);`,
      result: epilogue?.result ?? plain,
    },
    a,
    b,
    outputs: epilogue?.outputs ?? {y: y!},
    inputs: {...routing, ...(scatter?.weights && {weights: scatter.weights})},
    uniforms: {numRows, depth, columns, numGroups, ...epilogue?.uniforms},
    problem: {rows: rowsOfGroup(numRows, numGroups), columns},
    workgroups: (tile) => rowTiles(tile) * columnTiles(columns, tile),
    tileUniforms: (tile) => ({
      rowTiles: rowTiles(tile),
      columnTiles: columnTiles(columns, tile),
    }),
  };
}

function plainResult(vector: 1 | 4, scatter: ScatteredRows | undefined): MatMulResult {
  const row = (row: string) => (scatter == null ? row : `u32(indices[${row}])`);
  return {
    index: (r, column) => `(${row(r)} * uniforms.columns + ${column})`,
    vector,
    transform:
      scatter?.weights == null ? undefined : (value) => `(${value} * weights[indices[row]])`,
  };
}

/** How many rows a group has where all have the same. */
export function rowsOfGroup(numRows: number, numGroups: number): number {
  return Math.ceil(numRows / Math.max(numGroups, 1));
}

function columnTiles(columns: number, tile: TileSize): number {
  return Math.ceil(columns / tile.columns);
}

/** The transposed rows of a times those of b, group by group: [E, K, M]. An empty group gives zero. */
export function productsOfGroups(
  name: string,
  {
    a,
    b,
    bins,
    y,
    gatherB,
  }: {a: TensorInfo; b: TensorInfo; bins: TensorInfo; y: TensorInfo; gatherB?: GatheredRows},
): MatMul {
  const [numGroups, rows, columns] = y.shape;
  const vectorY = vectorOf(columns);
  return {
    source: {
      name,
      variant: ['products of groups', vectorY, gatherB?.topK].join(' '),
      inputs: {bins: 'i32', ...(gatherB && {indices: 'i32'})},
      outputs: {y: resultType(vectorY)},
      uniforms: {
        numRows: 'u32',
        rows: 'u32',
        columns: 'u32',
        rowTiles: 'u32',
        columnTiles: 'u32',
      },
      declarations: GROUPS,
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
        base: (k) => `(${gatheredRow(k, gatherB)} * uniforms.columns)`,
      },
      tile: (tile, subgroupSize) => `
        let columnBegin = group % uniforms.columnTiles * ${tile.columns}u;
        let rowBegin = group / uniforms.columnTiles % uniforms.rowTiles * ${tile.rows}u;
        let matrix = group / uniforms.columnTiles / uniforms.rowTiles;
        let rowEnd = uniforms.rows;
        let columnEnd = uniforms.columns;
        ${findBegin(tile, subgroupSize)}
        let depthBegin = groupBegin;
        let depthEnd = groupEnd(matrix, groupBegin);`,
      result: {
        index: (row, column) =>
          `((matrix * uniforms.rows + ${row}) * uniforms.columns + ${column})`,
        vector: vectorY,
      },
    },
    a,
    b,
    outputs: {y},
    inputs: {bins, ...(gatherB && {indices: gatherB.indices})},
    uniforms: {numRows: a.shape[0], rows, columns},
    problem: {rows, columns, gathersColumns: gatherB != null},
    workgroups: (tile) => numGroups * Math.ceil(rows / tile.rows) * columnTiles(columns, tile),
    tileUniforms: (tile) => ({
      rowTiles: Math.ceil(rows / tile.rows),
      columnTiles: columnTiles(columns, tile),
    }),
  };
}
