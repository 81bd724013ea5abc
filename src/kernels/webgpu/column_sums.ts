import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import type {TensorInfo} from '@tensorflow/tfjs-core';
import {type FloatType, floatType, lengthOf} from './float_wgsl';
import {makeOutput, type Program, runProgram} from './program';

// The sums of the columns of a matrix of many rows, in two steps and always in the same order: chunks of
// rows are summed by themselves, and then their sums.

/** Enough to fill a large GPU several times over. */
export const MAX_CHUNKS = 2048;

const COLUMNS = 8;
const SLICES = 32;

/**
 * One workgroup eight columns of one of `numMatrices` matrices side by side, which one read brings in; its
 * lanes share the chunks.
 */
function sumOfChunksProgram(name: string, numMatrices: number): Program {
  const workgroupSize = COLUMNS * SLICES;
  return {
    name,
    variant: `sum of chunks ${numMatrices}`,
    inputs: {sums: 'f32'},
    outputs: Object.fromEntries(Array.from({length: numMatrices}, (_, i) => [`y_${i}`, 'f32'])),
    uniforms: {size: 'u32', chunks: 'u32', groupsOfMatrix: 'u32'},
    workgroupSize,
    declarations: () => `var<workgroup> partials : array<f32, ${workgroupSize}>;`,
    main: () => `
      let matrix = group / uniforms.groupsOfMatrix;
      let column = group % uniforms.groupsOfMatrix * ${COLUMNS}u + lane % ${COLUMNS}u;
      var sum = 0.0;
      if (column < uniforms.size) {
        for (var chunk = lane / ${COLUMNS}u; chunk < uniforms.chunks; chunk += ${SLICES}u) {
          sum += sums[(chunk * ${numMatrices}u + matrix) * uniforms.size + column];
        }
      }
      partials[lane] = sum;
      workgroupBarrier();
      if (lane < ${COLUMNS}u && column < uniforms.size) {
        var total = 0.0;
        for (var i = lane; i < ${workgroupSize}u; i += ${COLUMNS}u) { total += partials[i]; }
        ${Array.from({length: numMatrices}, (_, i) => `if (matrix == ${i}u) { y_${i}[column] = total; }`).join('\n')}
      }`,
  };
}

/** Each y [size] = the sums of the columns of its matrix in `sums` [chunks, matrices, size]. */
export function sumChunks(
  backend: WebGPUBackend,
  name: string,
  sums: TensorInfo,
  ...y: TensorInfo[]
) {
  const [chunks, , size] = sums.shape;
  const groupsOfMatrix = Math.ceil(size / COLUMNS);
  runProgram(backend, sumOfChunksProgram(name, y.length), {
    inputs: {sums},
    outputs: Object.fromEntries(y.map((matrix, i) => [`y_${i}`, matrix])),
    uniforms: {size, chunks, groupsOfMatrix},
    workgroups: y.length * groupsOfMatrix,
  });
}

const LANES = 64;
/** Rows that a lane reads together: one after another, each would wait for the memory by itself. */
const ROWS_AT_ONCE = 4;

/** One workgroup a chunk of rows and 64 vectors of columns. */
function chunkSumsProgram(name: string, type: FloatType): Program {
  return {
    name,
    variant: `chunks ${type}`,
    inputs: {x: type},
    outputs: {sums: type},
    uniforms: {numRows: 'u32', length: 'u32', chunks: 'u32', rowsPerChunk: 'u32'},
    workgroupSize: LANES,
    main: () => `
      let chunk = group % uniforms.chunks;
      let at = group / uniforms.chunks * ${LANES}u + lane;
      if (at >= uniforms.length) { return; }
      let rowEnd = min((chunk + 1u) * uniforms.rowsPerChunk, uniforms.numRows);
      var row = chunk * uniforms.rowsPerChunk;
      var sum = ${type}();
      for (; row + ${ROWS_AT_ONCE}u <= rowEnd; row += ${ROWS_AT_ONCE}u) {
        sum += ${Array.from({length: ROWS_AT_ONCE}, (_, i) => `x[(row + ${i}u) * uniforms.length + at]`).join(' + ')};
      }
      for (; row < rowEnd; row++) { sum += x[row * uniforms.length + at]; }
      sums[chunk * uniforms.length + at] = sum;`,
  };
}

/** y [size] = the sums of the columns of x [numRows, size], float32. */
export function sumColumns(
  backend: WebGPUBackend,
  name: string,
  {x, y, numRows, size}: {x: TensorInfo; y: TensorInfo; numRows: number; size: number},
) {
  const type = floatType(size);
  const length = size / lengthOf(type);
  const columnGroups = Math.ceil(length / LANES);
  const wanted = Math.ceil(MAX_CHUNKS / columnGroups);
  const rowsPerChunk = ROWS_AT_ONCE * Math.ceil(numRows / wanted / ROWS_AT_ONCE);
  const chunks = Math.ceil(numRows / rowsPerChunk);
  const sums = makeOutput(backend, [chunks, 1, size]);
  runProgram(backend, chunkSumsProgram(name, type), {
    inputs: {x},
    outputs: {sums},
    uniforms: {numRows, length, chunks, rowsPerChunk},
    workgroups: chunks * columnGroups,
  });
  sumChunks(backend, name, sums, y);
  backend.disposeData(sums.dataId);
}
