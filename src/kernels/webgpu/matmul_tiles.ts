import type {Limits} from './device_state';
import type {Float16Tile, MatrixUnit} from './matmul_float16';
import {type Float32Tile, float32PanelBytes} from './matmul_float32';
import type {TileSize} from './matmul_program';
import tables from './tiles.json';

/** How large the parts of a product are: of a group where it is grouped, of a block where it is sparse. */
export interface Problem {
  rows: number;
  columns: number;
  /** Whether the operand of the columns is read through indices, anew at every depth. */
  gathersColumns?: boolean;
}

/** The tiles to choose from, large ones first. */
export interface Tiles {
  float32: Float32Tile[];
  float16: Float16Tile[];
}

/**
 * The tiles for an adapter, from tiles.json: by its vendor, else those for any. Software has small ones,
 * since it takes seconds to compile a program with large ones. `npm run tune` measures them.
 */
export function tilesFor(vendor: string, isSoftware: boolean): Tiles {
  const byAdapter: Record<string, Tiles> = tables;
  return {...tables.any, ...byAdapter[isSoftware ? 'software' : vendor]};
}

/** The depth of the deepest panel; the depths are powers of two, so the others divide it. */
export function deepestPanel({float32, float16}: Tiles): number {
  return Math.max(...[...float32, ...float16].map(({depth}) => depth));
}

/** The largest float32 tile that the problem fills, among those that are for it and the device can run. */
export function chooseFloat32Tile(
  problem: Problem,
  tiles: Float32Tile[],
  limits: Limits,
): Float32Tile {
  const runnable = tiles.filter(
    (tile) =>
      problem.rows >= (tile.leastRows ?? 0) &&
      float32PanelBytes(tile) <= limits.maxComputeWorkgroupStorageSize &&
      (tile.rows / tile.threadRows) * (tile.columns / tile.threadColumns) <=
        limits.maxComputeInvocationsPerWorkgroup,
  );
  return largestFilled(runnable, problem);
}

/** The largest half-precision tile that the problem fills, among those that the matrix units divide. */
export function chooseFloat16Tile(
  problem: Problem,
  tiles: Float16Tile[],
  unit: MatrixUnit,
): Float16Tile {
  const dividing = tiles.filter(
    ({depth, subgroupRows, subgroupColumns}) =>
      depth % unit.depth === 0 &&
      subgroupRows % unit.rows === 0 &&
      subgroupColumns % unit.columns === 0,
  );
  const tile = largestFilled(dividing, problem);
  return problem.gathersColumns && tile.columns > tile.rows ? turned(tile) : tile;
}

/** With rows for columns: what is gathered is best the short side (H200: 5 % of a product). */
function turned(tile: Float16Tile): Float16Tile {
  const {rows, columns, subgroupRows, subgroupColumns} = tile;
  return {
    ...tile,
    rows: columns,
    columns: rows,
    subgroupRows: subgroupColumns,
    subgroupColumns: subgroupRows,
  };
}

function largestFilled<T extends TileSize>(tiles: T[], {rows, columns}: Problem): T {
  // A tile that is more than half empty computes less than the next smaller one.
  const filled = tiles.find((tile) => 2 * rows > tile.rows && 2 * columns > tile.columns);
  return filled ?? tiles[tiles.length - 1];
}
