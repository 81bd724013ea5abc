import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {kernelConfig} from '../../kernel';
import {DenseToSparse, type DenseToSparseAttrs, type DenseToSparseInputs} from '../../kernel_names';
import {blockElements} from './blocks';
import {makeOutput, type Program, runProgram, workgroupsFor} from './program';

const WORKGROUP_SIZE = 256;

/** One invocation an element of the result, so that neighbours read and write along rows. */
function denseToSparseProgram(type: string, width: number, blockSize: number): Program {
  const blockElements = width * blockSize;
  return {
    name: DenseToSparse,
    variant: [type, blockSize].join(),
    inputs: {x: type, rowIndices: 'i32', columnIndices: 'i32'},
    outputs: {values: type},
    uniforms: {size: 'u32', columns: 'u32', blockRows: 'i32', blockColumns: 'i32'},
    workgroupSize: WORKGROUP_SIZE,
    main: () => `
      if (index >= uniforms.size) { return; }
      let block = index / ${blockElements}u;
      let blockRow = rowIndices[block];
      let blockColumn = columnIndices[block];
      var value = ${type}(0);
      if (blockRow >= 0 && blockRow < uniforms.blockRows &&
          blockColumn >= 0 && blockColumn < uniforms.blockColumns) {
        let row = u32(blockRow) * ${blockSize}u + index % ${blockElements}u / ${width}u;
        value = x[row * uniforms.columns + u32(blockColumn) * ${width}u + index % ${width}u];
      }
      values[index] = value;`,
  };
}

export const denseToSparseConfig = kernelConfig<
  DenseToSparseInputs,
  DenseToSparseAttrs,
  WebGPUBackend
>(DenseToSparse, 'webgpu', ({inputs: {x, rowIndices, columnIndices}, attrs, backend}) => {
  const {blockSize} = attrs;
  const {type, width, columns, blockRows, blockColumns} = blockElements(attrs);
  const numBlocks = columnIndices.shape[0];
  const values = makeOutput(backend, [numBlocks, blockSize, blockSize]);
  const size = numBlocks * blockSize * width;
  runProgram(backend, denseToSparseProgram(type, width, blockSize), {
    inputs: {x, rowIndices, columnIndices},
    outputs: {values},
    uniforms: {size, columns, blockRows, blockColumns},
    workgroups: workgroupsFor(size, WORKGROUP_SIZE),
  });
  return values;
});
