import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {kernelConfig} from '../../kernel';
import {Dsd, type DsdInputs, type SparseAttrs} from '../../kernel_names';
import {dsdShape} from '../shared/Dsd_impl';
import {deviceState} from './device_state';
import {resultType, rowsOfResult, runMatMul, vectorOf} from './matmul';
import {deepestPanel} from './matmul_tiles';
import {makeOutput} from './program';
import {sparseSide, usedBlocks} from './sparse_operand';

/** The tiles of a block-row of op(a) sum over its blocks. */
export const dsdConfig = kernelConfig<DsdInputs, SparseAttrs, WebGPUBackend>(
  Dsd,
  'webgpu',
  ({inputs: {values, b, ...index}, attrs, backend}) => {
    const {sparseRows, sparseColumns, blockSize, transposeA, transposeB, precision} = attrs;
    const [rows, columns] = dsdShape(b.shape, attrs);
    const y = makeOutput(backend, [rows, columns]);
    const sparse = sparseSide(index, {
      blockSize,
      crossings: (transposeA ? sparseRows : sparseColumns) / blockSize,
      byRows: !transposeA,
      depthIsInner: !transposeA,
      deepestPanel: deepestPanel(deviceState(backend.device).tiles),
    });
    const vectorB = vectorOf(b.shape[1], blockSize);
    const vectorY = vectorOf(columns);
    const lines = rows / blockSize;
    const rowTiles = (size: number) => Math.ceil(blockSize / size);
    const columnTiles = (size: number) => Math.ceil(columns / size);
    runMatMul(backend, {
      source: {
        name: Dsd,
        variant: `${sparse.variant} ${vectorY}`,
        inputs: sparse.inputTypes,
        outputs: {y: resultType(vectorY)},
        uniforms: {
          stride: 'u32',
          columns: 'u32',
          rowTiles: 'u32',
          columnTiles: 'u32',
          ...sparse.uniformTypes,
        },
        declarations: sparse.declarations,
        panel: sparse.panel,
        a: sparse.operand,
        b: sparse.partner('b', transposeB, vectorB),
        tile: (tile) => `
          let columnBegin = group % uniforms.columnTiles * ${tile.columns}u;
          let rowTile = group / uniforms.columnTiles % uniforms.rowTiles * ${tile.rows}u;
          let line = group / uniforms.columnTiles / uniforms.rowTiles;
          let rowBegin = line * ${blockSize}u + rowTile;
          let rowEnd = (line + 1u) * ${blockSize}u;
          let columnEnd = uniforms.columns;
          ${sparse.depths}`,
        result: rowsOfResult(vectorY),
      },
      a: values,
      b,
      outputs: {y},
      inputs: sparse.inputs,
      uniforms: {stride: b.shape[1], columns, ...sparse.uniforms},
      usedBlocks: usedBlocks(index, attrs),
      problem: {rows: blockSize, columns},
      workgroups: (tile) => lines * rowTiles(tile.rows) * columnTiles(tile.columns),
      tileUniforms: (tile) => ({
        rowTiles: rowTiles(tile.rows),
        columnTiles: columnTiles(tile.columns),
      }),
      precision,
    });
    return y;
  },
);
