import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {kernelConfig} from '../../kernel';
import {RowIndices, type RowIndicesAttrs, type RowIndicesInputs} from '../../kernel_names';
import {makeOutput, type Program, runProgram, workgroupsFor} from './program';

const WORKGROUP_SIZE = 256;

/** One invocation a block: finds its block-row by binary search over the offsets. */
const ROW_INDICES: Program = {
  name: RowIndices,
  inputs: {offsets: 'i32'},
  outputs: {rows: 'i32'},
  uniforms: {numBlocks: 'u32', numOffsets: 'u32'},
  workgroupSize: WORKGROUP_SIZE,
  main: () => `
    if (index >= uniforms.numBlocks) { return; }
    // How many offsets are not beyond this block; the last of them is that of its row.
    var low = 0u;
    var high = uniforms.numOffsets;
    while (low < high) {
      let middle = (low + high) / 2;
      if (offsets[middle] <= i32(index)) { low = middle + 1; } else { high = middle; }
    }
    var row = -1;
    if (low < uniforms.numOffsets) { row = i32(low) - 1; }
    rows[index] = row;`,
};

export const rowIndicesConfig = kernelConfig<RowIndicesInputs, RowIndicesAttrs, WebGPUBackend>(
  RowIndices,
  'webgpu',
  ({inputs: {offsets}, attrs: {numBlocks}, backend}) => {
    const rows = makeOutput(backend, [numBlocks], 'int32');
    runProgram(backend, ROW_INDICES, {
      inputs: {offsets},
      outputs: {rows},
      uniforms: {numBlocks, numOffsets: offsets.shape[0]},
      workgroups: workgroupsFor(numBlocks, WORKGROUP_SIZE),
    });
    return rows;
  },
);
