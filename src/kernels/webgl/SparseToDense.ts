import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {kernelConfig} from '../../kernel';
import {SparseToDense, type SparseToDenseAttrs, type SparseToDenseInputs} from '../../kernel_names';
import {invertIndex, type PointsProgram, type Program, runProgram} from './program';

/** Which block lies where in the matrix. */
const BLOCK_AT: PointsProgram = {
  name: SparseToDense,
  inputs: {rows: 'flat', columns: 'flat'},
  uniforms: {blockRows: 'int', blockColumns: 'int'},
  main: `
    int row = rowsInt(index);
    int column = columnsInt(index);
    if (row >= 0 && row < blockRows && column >= 0 && column < blockColumns) {
      target = row * blockColumns + column;
    }`,
};

const PROGRAM: Program = {
  name: SparseToDense,
  inputs: {values: 'packed', blockAt: 'flat'},
  layout: 'packed',
  outputs: ['y'],
  uniforms: {blockSize: 'int', blockColumns: 'int'},
  declarations: `
    float valueAt(int row, int column) {
      if (row >= out_rows || column >= out_columns) {
        return 0.0;
      }
      int blockRow = row / blockSize;
      int blockColumn = column / blockSize;
      int block = blockAtInt(blockRow * blockColumns + blockColumn);
      if (block < 0) {
        return 0.0;
      }
      return valuesValue(
          block * 2 * values_rowTexels + row - blockRow * blockSize,
          column - blockColumn * blockSize);
    }`,
  main: `
    int row = 2 * rowTexel;
    int column = 2 * columnTexel;
    y = vec4(
        valueAt(row, column), valueAt(row, column + 1),
        valueAt(row + 1, column), valueAt(row + 1, column + 1));`,
};

export const sparseToDenseConfig = kernelConfig<
  SparseToDenseInputs,
  SparseToDenseAttrs,
  MathBackendWebGL
>(
  SparseToDense,
  'webgl',
  ({
    inputs: {values, rowIndices: rows, columnIndices: columns},
    attrs: {sparseRows, sparseColumns, blockSize},
    backend,
  }) => {
    const [blockRows, blockColumns] = [sparseRows / blockSize, sparseColumns / blockSize];
    const blockAt = invertIndex(backend, BLOCK_AT, {
      inputs: {rows, columns},
      count: rows.shape[0],
      size: blockRows * blockColumns,
      uniforms: {blockRows, blockColumns},
    });
    const dense = runProgram(backend, PROGRAM, {
      inputs: {values, blockAt},
      shape: [sparseRows, sparseColumns],
      uniforms: {blockSize, blockColumns},
    });
    backend.disposeIntermediateTensorInfo(blockAt);
    return dense;
  },
);
