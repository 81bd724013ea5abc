import type {Float16Tile, MatrixUnit} from './matmul_float16';
import type {Float32Tile} from './matmul_float32';

/** How large the parts of a product are: of a group where it is grouped, of a block where it is sparse. */
export interface Problem {
  rows: number;
  columns: number;
}

const FLOAT32_TILES: Float32Tile[] = [
  {rows: 128, columns: 128, depth: 16, threadRows: 8, threadColumns: 8},
  {rows: 64, columns: 64, depth: 16, threadRows: 4, threadColumns: 4},
  {rows: 32, columns: 32, depth: 16, threadRows: 4, threadColumns: 4},
];

/** Of the programs with larger tiles, software compiles for seconds. */
const SOFTWARE_FLOAT32_TILES = FLOAT32_TILES.slice(-1);

/** The largest tile that the problem fills, among those that the device can run. */
export function chooseFloat32Tile(
  problem: Problem,
  {limits, isSoftware}: {limits: GPUSupportedLimits; isSoftware: boolean},
): Float32Tile {
  const runnable = (isSoftware ? SOFTWARE_FLOAT32_TILES : FLOAT32_TILES).filter(
    ({rows, columns, depth, threadRows, threadColumns}) =>
      4 * depth * (rows + columns) <= limits.maxComputeWorkgroupStorageSize &&
      (rows / threadRows) * (columns / threadColumns) <= limits.maxComputeInvocationsPerWorkgroup,
  );
  return largestFilled(runnable, problem);
}

const FLOAT16_TILES: Float16Tile[] = [
  {rows: 128, columns: 128, depth: 32, subgroupRows: 64, subgroupColumns: 64},
  {rows: 64, columns: 64, depth: 32, subgroupRows: 32, subgroupColumns: 32},
];

/** The largest tile that the problem fills, among those that the matrix units divide. */
export function chooseFloat16Tile(problem: Problem, unit: MatrixUnit): Float16Tile {
  const dividing = FLOAT16_TILES.filter(
    ({depth, subgroupRows, subgroupColumns}) =>
      depth % unit.depth === 0 &&
      subgroupRows % unit.rows === 0 &&
      subgroupColumns % unit.columns === 0,
  );
  return largestFilled(dividing, problem);
}

function largestFilled<T extends Problem>(tiles: T[], {rows, columns}: Problem): T {
  // A tile that is more than half empty computes less than the next smaller one.
  const filled = tiles.find((tile) => 2 * rows > tile.rows && 2 * columns > tile.columns);
  return filled ?? tiles[tiles.length - 1];
}
