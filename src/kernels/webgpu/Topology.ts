import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {kernelConfig} from '../../kernel';
import {Topology, type TopologyAttrs, type TopologyInputs} from '../../kernel_names';
import {makeOutput, type Program, runProgram, workgroupsFor} from './program';

const WORKGROUP_SIZE = 256;

/** One invocation a block: finds the expert of its block-row by binary search over the bins. */
const TOPOLOGY: Program = {
  name: Topology,
  inputs: {paddedBins: 'i32'},
  outputs: {columns: 'i32'},
  uniforms: {size: 'u32', numExperts: 'u32', blockSize: 'u32', blocksPerRow: 'u32'},
  workgroupSize: WORKGROUP_SIZE,
  main: () => `
    if (index >= uniforms.size) { return; }
    let blockRow = index / uniforms.blocksPerRow;
    var low = 0u;
    var high = uniforms.numExperts;
    while (low < high) {
      let middle = (low + high) / 2;
      // Not a product, which can be more than int32 holds.
      let endRow = u32(max(paddedBins[middle], 0)) / uniforms.blockSize;
      if (endRow <= blockRow) { low = middle + 1; } else { high = middle; }
    }
    var column = -1;
    if (low < uniforms.numExperts) {
      column = i32(low * uniforms.blocksPerRow + index % uniforms.blocksPerRow);
    }
    columns[index] = column;`,
};

export const topologyConfig = kernelConfig<TopologyInputs, TopologyAttrs, WebGPUBackend>(
  Topology,
  'webgpu',
  ({inputs: {paddedBins}, attrs: {blockSize, blockRows, blocksPerRow}, backend}) => {
    const size = blockRows * blocksPerRow;
    const columns = makeOutput(backend, [size], 'int32');
    runProgram(backend, TOPOLOGY, {
      inputs: {paddedBins},
      outputs: {columns},
      uniforms: {size, numExperts: paddedBins.shape[0], blockSize, blocksPerRow},
      workgroups: workgroupsFor(size, WORKGROUP_SIZE),
    });
    return columns;
  },
);
