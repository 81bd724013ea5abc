import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {kernelConfig} from '../../kernel';
import {SparseToDense, type SparseToDenseAttrs, type SparseToDenseInputs} from '../../kernel_names';
import {blockElements} from './blocks';
import {makeOutput, type Program, runProgram, workgroupsFor} from './program';

const WORKGROUP_SIZE = 256;

/** One invocation a block: writes its number to its place in the dense matrix. */
const BLOCK_MAP_PROGRAM: Program = {
  name: 'MegaBlocksBlockMap',
  inputs: {rowIndices: 'i32', columnIndices: 'i32'},
  outputs: {blocks: 'i32'},
  uniforms: {numBlocks: 'u32', blockRows: 'i32', blockColumns: 'i32'},
  workgroupSize: WORKGROUP_SIZE,
  main: () => `
    if (index >= uniforms.numBlocks) { return; }
    let row = rowIndices[index];
    let column = columnIndices[index];
    if (row >= 0 && row < uniforms.blockRows && column >= 0 && column < uniforms.blockColumns) {
      blocks[row * uniforms.blockColumns + column] = i32(index);
    }`,
};

/**
 * One invocation an element of the result, so that all of it is written once and in order. Where there
 * is no block the map holds anything: a number counts only if its block lies there.
 */
function sparseToDenseProgram(type: string, width: number, blockSize: number): Program {
  return {
    name: SparseToDense,
    variant: [type, blockSize].join(),
    inputs: {values: type, blocks: 'i32', rowIndices: 'i32', columnIndices: 'i32'},
    outputs: {y: type},
    uniforms: {size: 'u32', columns: 'u32', blockColumns: 'u32', numBlocks: 'u32'},
    workgroupSize: WORKGROUP_SIZE,
    main: () => `
      if (index >= uniforms.size) { return; }
      let row = index / uniforms.columns;
      let column = index % uniforms.columns;
      let blockRow = row / ${blockSize}u;
      let blockColumn = column / ${width}u;
      let block = u32(blocks[blockRow * uniforms.blockColumns + blockColumn]);
      var value = ${type}(0);
      if (block < uniforms.numBlocks && rowIndices[block] == i32(blockRow) &&
          columnIndices[block] == i32(blockColumn)) {
        value = values[(block * ${blockSize}u + row % ${blockSize}u) * ${width}u + column % ${width}u];
      }
      y[index] = value;`,
  };
}

export const sparseToDenseConfig = kernelConfig<
  SparseToDenseInputs,
  SparseToDenseAttrs,
  WebGPUBackend
>(SparseToDense, 'webgpu', ({inputs: {values, rowIndices, columnIndices}, attrs, backend}) => {
  const {blockSize, sparseRows, sparseColumns} = attrs;
  const {type, width, columns, blockRows, blockColumns} = blockElements(attrs);
  const numBlocks = columnIndices.shape[0];
  const y = makeOutput(backend, [sparseRows, sparseColumns]);
  const blocks = makeOutput(backend, [blockRows, blockColumns], 'int32');
  runProgram(backend, BLOCK_MAP_PROGRAM, {
    inputs: {rowIndices, columnIndices},
    outputs: {blocks},
    uniforms: {numBlocks, blockRows, blockColumns},
    workgroups: workgroupsFor(numBlocks, WORKGROUP_SIZE),
  });
  const size = sparseRows * columns;
  runProgram(backend, sparseToDenseProgram(type, width, blockSize), {
    inputs: {values, blocks, rowIndices, columnIndices},
    outputs: {y},
    uniforms: {size, columns, blockColumns, numBlocks},
    workgroups: workgroupsFor(size, WORKGROUP_SIZE),
  });
  backend.disposeData(blocks.dataId);
  return y;
});
