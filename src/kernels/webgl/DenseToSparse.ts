import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {kernelConfig} from '../../kernel';
import {DenseToSparse, type DenseToSparseAttrs, type DenseToSparseInputs} from '../../kernel_names';
import {type Program, runProgram} from './program';

function program(blockSize: number): Program {
  return {
    name: DenseToSparse,
    inputs: {x: 'packed', rows: 'flat', columns: 'flat'},
    layout: 'packed',
    outputs: ['y'],
    uniforms: {blockRows: 'int', blockColumns: 'int'},
    main: `
      int block = rowTexel / out_rowTexels;
      int blockRow = rowsInt(block);
      int blockColumn = columnsInt(block);
      if (blockRow < 0 || blockRow >= blockRows || blockColumn < 0 || blockColumn >= blockColumns) {
        return;
      }
      int row = blockRow * out_rows + 2 * (rowTexel - block * out_rowTexels);
      int column = blockColumn * out_columns + 2 * columnTexel;
      y = ${blockSize % 2 === 0 ? 'x(row >> 1, column >> 1)' : 'xQuad(row, column)'};`,
  };
}

export const denseToSparseConfig = kernelConfig<
  DenseToSparseInputs,
  DenseToSparseAttrs,
  MathBackendWebGL
>(
  DenseToSparse,
  'webgl',
  ({
    inputs: {x, rowIndices: rows, columnIndices: columns},
    attrs: {sparseRows, sparseColumns, blockSize},
    backend,
  }) =>
    runProgram(backend, program(blockSize), {
      inputs: {x, rows, columns},
      shape: [rows.shape[0], blockSize, blockSize],
      uniforms: {blockRows: sparseRows / blockSize, blockColumns: sparseColumns / blockSize},
    }),
);
