import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {type TensorInfo, util} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {Histogram, type HistogramAttrs, type HistogramInputs} from '../../kernel_names';
import {fill} from './fill';
import {makeOutput, type Program, runProgram, workgroupsFor} from './program';
import {
  COUNT_TILE,
  COUNT_WORKGROUP_SIZE,
  counterCopies,
  countDeclarations,
  countTile,
  MAX_COUNTERS,
} from './workgroup_counts';

/**
 * One workgroup a tile of a row: counts in its own memory, then adds to the counts of the row, or
 * writes them where the tile is the whole row.
 */
function countTilesProgram(isWholeRow: boolean): Program {
  const write = isWholeRow
    ? (y: string, count: string) => `atomicStore(${y}, ${count});`
    : (y: string, count: string) => `if (${count} > 0) { atomicAdd(${y}, ${count}); }`;
  return {
    name: Histogram,
    variant: `tiles ${isWholeRow}`,
    inputs: {x: 'i32'},
    outputs: {y: 'atomic<i32>'},
    uniforms: {size: 'u32', tiles: 'u32', max: 'u32', copies: 'u32'},
    workgroupSize: COUNT_WORKGROUP_SIZE,
    declarations: () => countDeclarations(MAX_COUNTERS),
    main: () => `
      let row = group / uniforms.tiles;
      ${countTile({
        begin: `(group % uniforms.tiles * ${COUNT_TILE}u)`,
        end: 'uniforms.size',
        bound: 'uniforms.max',
        copies: 'uniforms.copies',
        // Below zero is far above any bound.
        load: (i) => `u32(x[row * uniforms.size + ${i}])`,
        store: (value, count) => write(`&y[row * uniforms.max + ${value}]`, count),
      })}`,
  };
}

/** One invocation a value, for short rows and more counts than a workgroup's memory holds. */
const COUNT_VALUES: Program = {
  name: Histogram,
  variant: 'values',
  inputs: {x: 'i32'},
  outputs: {y: 'atomic<i32>'},
  uniforms: {total: 'u32', size: 'u32', max: 'u32'},
  workgroupSize: COUNT_WORKGROUP_SIZE,
  main: () => `
    if (index >= uniforms.total) { return; }
    let value = u32(x[index]);
    if (value < uniforms.max) {
      atomicAdd(&y[index / uniforms.size * uniforms.max + value], 1);
    }`,
};

/** How often each value below `max` is in x, [N] or [batch, N]: [max] or [batch, max], int32. */
export function countValues(backend: WebGPUBackend, x: TensorInfo, max: number): TensorInfo {
  const y = makeOutput(backend, [...x.shape.slice(0, -1), max], 'int32');
  const total = util.sizeFromShape(x.shape);
  const size = x.shape[x.shape.length - 1];
  const tiles = workgroupsFor(size, COUNT_TILE);
  // Short rows would leave most of a workgroup idle.
  const isCountedInTiles = max <= MAX_COUNTERS && size >= COUNT_WORKGROUP_SIZE;
  const isWholeRow = isCountedInTiles && tiles === 1;
  if (!isWholeRow) {
    fill(backend, Histogram, y, 0);
  }
  if (isCountedInTiles) {
    runProgram(backend, countTilesProgram(isWholeRow), {
      inputs: {x},
      outputs: {y},
      uniforms: {size, tiles, max, copies: counterCopies(max, MAX_COUNTERS)},
      workgroups: util.sizeFromShape(x.shape.slice(0, -1)) * tiles,
    });
  } else {
    runProgram(backend, COUNT_VALUES, {
      inputs: {x},
      outputs: {y},
      uniforms: {total, size, max},
      workgroups: workgroupsFor(total, COUNT_WORKGROUP_SIZE),
    });
  }
  return y;
}

export const histogramConfig = kernelConfig<HistogramInputs, HistogramAttrs, WebGPUBackend>(
  Histogram,
  'webgpu',
  ({inputs: {x}, attrs: {max}, backend}) => countValues(backend, x, max),
);
