import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {kernelConfig} from '../../kernel';
import {
  SparseTranspose,
  type SparseTransposeAttrs,
  type SparseTransposeInputs,
} from '../../kernel_names';
import {fill} from './fill';
import {makeOutput, type Program, runProgram, workgroupsFor} from './program';
import {radixSort} from './radix_sort';

const WORKGROUP_SIZE = 256;

/** One invocation a block: its column, or the one after the last where it is unused. */
const COLUMN_KEYS: Program = {
  name: SparseTranspose,
  variant: 'keys',
  inputs: {rowIndices: 'i32', columnIndices: 'i32'},
  outputs: {keys: 'i32'},
  uniforms: {numBlocks: 'u32', blockColumns: 'i32'},
  workgroupSize: WORKGROUP_SIZE,
  main: () => `
    if (index >= uniforms.numBlocks) { return; }
    let column = columnIndices[index];
    let isUsed = rowIndices[index] >= 0 && column >= 0 && column < uniforms.blockColumns;
    keys[index] = select(uniforms.blockColumns, column, isUsed);`,
};

/** One invocation a block in the order of its column, and one an offset: it searches the columns. */
const TRANSPOSE: Program = {
  name: SparseTranspose,
  variant: 'index',
  inputs: {columns: 'i32', blocks: 'i32', rowIndices: 'i32'},
  outputs: {columnIndicesT: 'i32', offsetsT: 'i32', blockOffsetsT: 'i32'},
  uniforms: {numBlocks: 'u32', blockColumns: 'u32'},
  workgroupSize: WORKGROUP_SIZE,
  main: () => `
    if (index < uniforms.numBlocks) {
      var row = -1;
      var block = -1;
      if (u32(columns[index]) < uniforms.blockColumns) {
        block = blocks[index];
        row = rowIndices[block];
      }
      columnIndicesT[index] = row;
      blockOffsetsT[index] = block;
    }
    if (index <= uniforms.blockColumns) {
      var low = 0u;
      var high = uniforms.numBlocks;
      while (low < high) {
        let middle = (low + high) / 2;
        if (u32(columns[middle]) < index) { low = middle + 1; } else { high = middle; }
      }
      offsetsT[index] = i32(low);
    }`,
};

export const sparseTransposeConfig = kernelConfig<
  SparseTransposeInputs,
  SparseTransposeAttrs,
  WebGPUBackend
>(
  SparseTranspose,
  'webgpu',
  ({inputs: {rowIndices, columnIndices}, attrs: {blockColumns}, backend}) => {
    const [numBlocks] = columnIndices.shape;
    const columnIndicesT = makeOutput(backend, [numBlocks], 'int32');
    const offsetsT = makeOutput(backend, [blockColumns + 1], 'int32');
    const blockOffsetsT = makeOutput(backend, [numBlocks], 'int32');
    const result = [columnIndicesT, offsetsT, blockOffsetsT];
    if (numBlocks === 0) {
      fill(backend, SparseTranspose, offsetsT, 0);
      return result;
    }
    const keys = makeOutput(backend, [numBlocks], 'int32');
    runProgram(backend, COLUMN_KEYS, {
      inputs: {rowIndices, columnIndices},
      outputs: {keys},
      uniforms: {numBlocks, blockColumns},
      workgroups: workgroupsFor(numBlocks, WORKGROUP_SIZE),
    });
    // As many bits as the key of an unused block has.
    const endBit = Math.max(1, 32 - Math.clz32(blockColumns));
    const sorted = radixSort(backend, SparseTranspose, keys, endBit);
    runProgram(backend, TRANSPOSE, {
      inputs: {columns: sorted.keys, blocks: sorted.indices, rowIndices},
      outputs: {columnIndicesT, offsetsT, blockOffsetsT},
      uniforms: {numBlocks, blockColumns},
      workgroups: workgroupsFor(Math.max(numBlocks, blockColumns + 1), WORKGROUP_SIZE),
    });
    [keys, sorted.keys, sorted.indices].forEach((scratch) => backend.disposeData(scratch.dataId));
    return result;
  },
);
