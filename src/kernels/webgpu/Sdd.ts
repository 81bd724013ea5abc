import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {kernelConfig} from '../../kernel';
import {Sdd, type SddInputs, type SparseAttrs} from '../../kernel_names';
import {transposeShape} from '../shared/sparse_blocks';
import {denseOperand, resultType, runMatMul, vectorOf} from './matmul';
import {makeOutput} from './program';

/** A tile or several a block; unused blocks sum over nothing. */
export const sddConfig = kernelConfig<SddInputs, SparseAttrs, WebGPUBackend>(
  Sdd,
  'webgpu',
  ({inputs: {a, b, rowIndices, columnIndices}, attrs, backend}) => {
    const {sparseRows, sparseColumns, blockSize, transposeA, transposeB, precision} = attrs;
    const numBlocks = rowIndices.shape[0];
    const [, depth] = transposeShape(a.shape, transposeA);
    const y = makeOutput(backend, [numBlocks, blockSize, blockSize]);
    const vector = vectorOf(blockSize);
    const acrossBlock = (size: number) => Math.ceil(blockSize / size);
    runMatMul(backend, {
      source: {
        name: Sdd,
        variant: `block ${blockSize} ${vector}`,
        inputs: {rowIndices: 'i32', columnIndices: 'i32'},
        outputs: {y: resultType(vector)},
        uniforms: {
          numRows: 'u32',
          numColumns: 'u32',
          depth: 'u32',
          rowTiles: 'u32',
          columnTiles: 'u32',
        },
        a: denseOperand('a', !transposeA, vectorOf(a.shape[1], blockSize), {
          outer: 'numRows',
          depth: 'depth',
        }),
        b: denseOperand('b', transposeB, vectorOf(b.shape[1], blockSize), {
          outer: 'numColumns',
          depth: 'depth',
        }),
        tile: (tile) => `
          let columnTile = group % uniforms.columnTiles * ${tile.columns}u;
          let rowTile = group / uniforms.columnTiles % uniforms.rowTiles * ${tile.rows}u;
          let block = group / uniforms.columnTiles / uniforms.rowTiles;
          let blockRow = rowIndices[block];
          let blockColumn = columnIndices[block];
          let isUsed = blockRow >= 0 && u32(blockRow) * ${blockSize}u < uniforms.numRows &&
              blockColumn >= 0 && u32(blockColumn) * ${blockSize}u < uniforms.numColumns;
          let blockRowBegin = select(0u, u32(blockRow) * ${blockSize}u, isUsed);
          let blockColumnBegin = select(0u, u32(blockColumn) * ${blockSize}u, isUsed);
          let rowBegin = blockRowBegin + rowTile;
          let columnBegin = blockColumnBegin + columnTile;
          let rowEnd = blockRowBegin + ${blockSize}u;
          let columnEnd = blockColumnBegin + ${blockSize}u;
          let depthBegin = 0u;
          let depthEnd = select(0u, uniforms.depth, isUsed);`,
        result: {
          index: (row, column) =>
            `((block * ${blockSize}u + ${row} - blockRowBegin) * ${blockSize}u + ${column} - blockColumnBegin)`,
          vector: vector,
        },
      },
      a,
      b,
      outputs: {y},
      inputs: {rowIndices, columnIndices},
      uniforms: {numRows: sparseRows, numColumns: sparseColumns, depth},
      problem: {rows: blockSize, columns: blockSize},
      workgroups: (tile) => numBlocks * acrossBlock(tile.rows) * acrossBlock(tile.columns),
      tileUniforms: (tile) => ({
        rowTiles: acrossBlock(tile.rows),
        columnTiles: acrossBlock(tile.columns),
      }),
      precision,
    });
    return y;
  },
);
