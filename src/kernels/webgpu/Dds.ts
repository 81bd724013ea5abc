import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {kernelConfig} from '../../kernel';
import {Dds, type DdsInputs, type SparseAttrs} from '../../kernel_names';
import {ddsShape} from '../shared/Dds_impl';
import {deviceState} from './device_state';
import {resultType, rowsOfResult, runMatMul, vectorOf} from './matmul';
import {deepestPanel} from './matmul_tiles';
import {makeOutput} from './program';
import {sparseSide, usedBlocks} from './sparse_operand';

/** The tiles of a block-column of op(b) sum over its blocks. */
export const ddsConfig = kernelConfig<DdsInputs, SparseAttrs, WebGPUBackend>(
  Dds,
  'webgpu',
  ({inputs: {a, values, ...index}, attrs, backend}) => {
    const {sparseRows, sparseColumns, blockSize, transposeA, transposeB, precision} = attrs;
    const [rows, columns] = ddsShape(a.shape, attrs);
    const y = makeOutput(backend, [rows, columns]);
    const sparse = sparseSide(index, {
      blockSize,
      crossings: (transposeB ? sparseColumns : sparseRows) / blockSize,
      byRows: transposeB,
      depthIsInner: transposeB,
      deepestPanel: deepestPanel(deviceState(backend.device).tiles),
    });
    const vectorA = vectorOf(a.shape[1], blockSize);
    const vectorY = vectorOf(columns, blockSize);
    const lines = columns / blockSize;
    const rowTiles = (size: number) => Math.ceil(rows / size);
    const columnTiles = (size: number) => Math.ceil(blockSize / size);
    runMatMul(backend, {
      source: {
        name: Dds,
        variant: `${sparse.variant} ${vectorY}`,
        inputs: sparse.inputTypes,
        outputs: {y: resultType(vectorY)},
        uniforms: {
          rows: 'u32',
          stride: 'u32',
          columns: 'u32',
          rowTiles: 'u32',
          columnTiles: 'u32',
          ...sparse.uniformTypes,
        },
        declarations: sparse.declarations,
        panel: sparse.panel,
        a: sparse.partner('a', !transposeA, vectorA),
        b: sparse.operand,
        tile: (tile) => `
          let rowBegin = group % uniforms.rowTiles * ${tile.rows}u;
          let columnTile = group / uniforms.rowTiles % uniforms.columnTiles * ${tile.columns}u;
          let line = group / uniforms.rowTiles / uniforms.columnTiles;
          let columnBegin = line * ${blockSize}u + columnTile;
          let columnEnd = (line + 1u) * ${blockSize}u;
          let rowEnd = uniforms.rows;
          ${sparse.depths}`,
        result: rowsOfResult(vectorY),
      },
      a,
      b: values,
      outputs: {y},
      inputs: sparse.inputs,
      uniforms: {rows, stride: a.shape[1], columns, ...sparse.uniforms},
      usedBlocks: usedBlocks(index, attrs),
      problem: {rows, columns: blockSize},
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
