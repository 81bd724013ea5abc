import {deviceState} from '../../src/kernels/webgpu/device_state';
import type {Float16Tile} from '../../src/kernels/webgpu/matmul_float16';
import type {Float32Tile} from '../../src/kernels/webgpu/matmul_float32';
import type {Tiles} from '../../src/kernels/webgpu/matmul_tiles';
import {median} from '../harness';
import {gpu} from './measure';
import {denseProducts, groupedProducts, type Row, type Shape} from './products';

// Which tiles are fastest on this GPU: every candidate multiplies the same problems, large groups and
// small ones, all three forms, and dense matrices.

const float16 = (
  rows: number,
  columns: number,
  depth: number,
  subgroupRows: number,
  subgroupColumns: number,
): Float16Tile => ({rows, columns, depth, subgroupRows, subgroupColumns, unroll: 16});

const float32 = (
  rows: number,
  columns: number,
  depth: number,
  threadRows: number,
  threadColumns: number,
  unroll: number,
): Float32Tile => ({rows, columns, depth, threadRows, threadColumns, unroll});

/** By the size of the tile: each class has one winner, which the next larger one falls back on. */
const CANDIDATES: {float16: Float16Tile[][]; float32: Float32Tile[][]} = {
  float16: [
    [
      float16(128, 128, 32, 64, 64),
      float16(128, 128, 16, 64, 64),
      float16(128, 128, 32, 64, 32),
      float16(128, 128, 32, 32, 64),
      float16(128, 128, 64, 64, 64),
      float16(256, 128, 32, 64, 64),
      float16(128, 256, 32, 64, 64),
    ],
    [float16(64, 64, 32, 32, 32), float16(64, 64, 64, 32, 32), float16(64, 128, 32, 32, 64)],
  ],
  float32: [
    [
      float32(128, 128, 16, 8, 8, 4),
      float32(128, 128, 16, 8, 8, 16),
      float32(128, 128, 32, 8, 8, 4),
      float32(128, 128, 32, 8, 8, 16),
      float32(128, 256, 16, 8, 16, 8),
    ],
    // Where the panels of those above are more than the workgroup memory.
    [float32(128, 128, 16, 8, 8, 4), float32(128, 128, 16, 8, 8, 16)],
    // Of many rows and few columns, as a router's.
    [{...float32(256, 64, 16, 16, 8, 4), leastRows: 65536}],
    [
      float32(128, 64, 16, 8, 4, 16),
      float32(128, 64, 32, 8, 8, 16),
      float32(256, 64, 16, 8, 8, 16),
    ],
    [float32(64, 64, 16, 4, 4, 16), float32(64, 64, 32, 4, 4, 16), float32(64, 64, 16, 8, 4, 16)],
    [float32(32, 32, 16, 4, 4, 4), float32(32, 32, 16, 4, 4, 16)],
  ],
};

/**
 * Measures the candidates and returns the winners, those of large tiles first.
 *
 * @param shapes Of grouped products.
 */
export async function tune(shapes: Shape[], size: number): Promise<Tiles> {
  const state = deviceState(gpu().device);
  const [tilesBefore, precisionBefore] = [state.tiles, state.precision];
  const winners: Tiles = {...tilesBefore};
  for (const precision of ['float16', 'float32'] as const) {
    if (precision === 'float16' && state.matrixUnit == null) {
      continue;
    }
    state.precision = precision;
    const best: (Float16Tile | Float32Tile)[] = [];
    for (const candidates of CANDIDATES[precision]) {
      const scores: number[] = [];
      for (const tile of candidates) {
        state.tiles = {...tilesBefore, [precision]: [tile]};
        scores.push(await score(shapes, size, JSON.stringify(Object.values(tile))));
      }
      best.push(candidates[scores.indexOf(Math.max(...scores))]);
    }
    Object.assign(winners, {[precision]: best});
  }
  state.tiles = tilesBefore;
  state.precision = precisionBefore;
  return winners;
}

/** The median TFLOP/s over all problems. */
async function score(shapes: Shape[], size: number, label: string): Promise<number> {
  const rows: Row[] = [];
  try {
    rows.push(...(await denseProducts(size, label)));
    for (const shape of shapes) {
      rows.push(...(await groupedProducts(shape, label)));
    }
  } catch (error) {
    console.log(`${label}: ${(error as Error).message}`);
    return 0;
  }
  const rates = rows.map(({tflops}) => tflops ?? 0);
  console.log(`${label.padEnd(22)} ${rates.map((rate) => rate.toFixed(0).padStart(5)).join('')}`);
  return median(rates);
}
