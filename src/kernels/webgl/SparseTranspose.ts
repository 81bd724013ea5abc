import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {kernelConfig} from '../../kernel';
import {
  SparseTranspose,
  type SparseTransposeAttrs,
  type SparseTransposeInputs,
} from '../../kernel_names';
import {mergeSort} from './merge_sort';
import {type Program, runWithOutputs, runProgram} from './program';
import {runStarts} from './run_starts';

/** What the blocks are sorted by: the column, with the unused ones after all others. */
const COLUMNS: Program = {
  name: SparseTranspose,
  inputs: {rows: 'flat', columns: 'flat'},
  layout: 'flat',
  outputs: ['column'],
  uniforms: {blockColumns: 'int'},
  main: `
    int c = columnsInt(index);
    bool isUsed = rowsInt(index) >= 0 && c >= 0 && c < blockColumns;
    column = float(isUsed ? c : blockColumns);`,
};

const INDEX: Program = {
  name: SparseTranspose,
  inputs: {rows: 'flat', sorted: 'flat', blocks: 'flat'},
  layout: 'flat',
  outputs: ['row', 'block'],
  uniforms: {blockColumns: 'int'},
  main: `
    bool isUsed = sortedInt(index) < blockColumns;
    row = isUsed ? rows(blocksInt(index)) : -1.0;
    block = isUsed ? blocks(index) : -1.0;`,
};

export const sparseTransposeConfig = kernelConfig<
  SparseTransposeInputs,
  SparseTransposeAttrs,
  MathBackendWebGL
>(
  SparseTranspose,
  'webgl',
  ({inputs: {rowIndices: rows, columnIndices: columns}, attrs: {blockColumns}, backend}) => {
    const shape = columns.shape;
    const uniforms = {blockColumns};
    const column = runProgram(backend, COLUMNS, {
      inputs: {rows, columns},
      shape,
      dtype: 'int32',
      uniforms,
    });
    const [sorted, blocks] = mergeSort(backend, SparseTranspose, column, 32);
    const [columnIndicesT, blockOffsetsT] = runWithOutputs(backend, INDEX, {
      inputs: {rows, sorted, blocks},
      shape,
      dtype: 'int32',
      uniforms,
    });
    const offsetsT = runStarts(backend, SparseTranspose, sorted, blockColumns + 1);
    [column, sorted, blocks].forEach((x) => backend.disposeIntermediateTensorInfo(x));
    return [columnIndicesT, offsetsT, blockOffsetsT];
  },
);
