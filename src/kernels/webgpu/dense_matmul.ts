import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {BatchMatMul, broadcast_util, type TensorInfo, util} from '@tensorflow/tfjs-core';
import type {Precision} from '../../kernel_names';
import {denseOperand, resultType, runMatMul, vectorOf} from './matmul';
import {bandedTile, type MatMulResult, type TileSize} from './matmul_program';
import {makeOutput, type Program, runProgram, workgroupsFor} from './program';

/** tf.matMul: what is multiplied, and what is done with the sums on their way out. */
export interface DenseMatMul {
  a: TensorInfo;
  b: TensorInfo;
  transposeA: boolean;
  transposeB: boolean;
  /** Default: the device's own. */
  precision?: Precision;
  epilogue?: {
    /** What the code depends on. */
    variant: string;
    inputs: Record<string, TensorInfo>;
    inputTypes: Record<string, string>;
    uniforms?: Record<string, number>;
    declarations?: string;
    apply: NonNullable<MatMulResult['transform']>;
  };
}

/** Fewer workgroups than this leave most of a large GPU idle. */
const ENOUGH_WORKGROUPS = 264;
/** The least that is worth a workgroup of its own. */
const LEAST_DEPTH = 512;

/**
 * The product of two matrices, or of as many as the leading axes hold, which broadcast. Where the result
 * has few tiles and the sums are long, the depth is split over several workgroups, whose partial sums are
 * added up in order: the result does not depend on which comes first.
 *
 * @throws If the inner sizes differ.
 */
export function denseMatMul(backend: WebGPUBackend, product: DenseMatMul): TensorInfo {
  const {a, b, transposeA, transposeB, precision, epilogue} = product;
  const [aRows, aColumns] = a.shape.slice(-2);
  const [bRows, bColumns] = b.shape.slice(-2);
  const [rows, depth] = transposeA ? [aColumns, aRows] : [aRows, aColumns];
  const [inner, columns] = transposeB ? [bColumns, bRows] : [bRows, bColumns];
  util.assert(
    inner === depth,
    () =>
      `matMul: b must have an inner size of ${depth}, got ${inner} (shapes [${a.shape}] and ` +
      `[${b.shape}], transposeA ${transposeA}, transposeB ${transposeB})`,
  );
  const aBatch = a.shape.slice(0, -2);
  const bBatch = b.shape.slice(0, -2);
  const batch = broadcast_util.assertAndGetBroadcastShape(aBatch, bBatch);
  const y = makeOutput(backend, [...batch, rows, columns]);
  const batchSize = util.sizeFromShape(batch);
  const splits = epilogue == null ? chooseSplits(batchSize, rows, columns, depth) : 1;
  const result =
    splits === 1 ? y : makeOutput(backend, [splits, util.sizeFromShape(y.shape)], 'float32');
  const vectorY = vectorOf(columns);
  const aIndex = batchIndex(aBatch, batch);
  const bIndex = batchIndex(bBatch, batch);
  const operand = (
    name: 'a' | 'b',
    depthIsInner: boolean,
    length: number,
    outer: 'rows' | 'columns',
  ) => {
    const plain = denseOperand(name, depthIsInner, vectorOf(length), {outer, depth: 'depth'});
    return {
      ...plain,
      base: (lead: string) => `(${name}Begin + ${plain.base(lead)})`,
    };
  };
  const rowTiles = (tile: TileSize) => Math.ceil(rows / tile.rows);
  const columnTiles = (tile: TileSize) => Math.ceil(columns / tile.columns);
  runMatMul(backend, {
    source: {
      name: BatchMatMul,
      variant: [vectorY, aIndex, bIndex, splits === 1, epilogue?.variant].join(' '),
      inputs: epilogue?.inputTypes ?? {},
      outputs: {y: resultType(vectorY)},
      uniforms: {
        rows: 'u32',
        columns: 'u32',
        depth: 'u32',
        rowTiles: 'u32',
        columnTiles: 'u32',
        batchSize: 'u32',
        splitDepth: 'u32',
        ...Object.fromEntries(
          Object.keys(epilogue?.uniforms ?? {}).map((name) => [name, 'f32' as const]),
        ),
      },
      declarations: epilogue?.declarations,
      a: operand('a', !transposeA, aColumns, 'rows'),
      b: operand('b', transposeB, bColumns, 'columns'),
      tile: (tile) => `
        let tilesOfOne = uniforms.rowTiles * uniforms.columnTiles;
        let tileOfOne = group % tilesOfOne;
        ${bandedTile('tileOfOne', 'uniforms.rowTiles', 'uniforms.columnTiles')}
        let rowBegin = rowTile * ${tile.rows}u;
        let columnBegin = columnTile * ${tile.columns}u;
        let result = group / tilesOfOne;
        let matrix = result % uniforms.batchSize;
        let split = result / uniforms.batchSize;
        let aBegin = ${aIndex} * uniforms.rows * uniforms.depth;
        let bBegin = ${bIndex} * uniforms.depth * uniforms.columns;
        let rowEnd = uniforms.rows;
        let columnEnd = uniforms.columns;
        let depthBegin = min(split * uniforms.splitDepth, uniforms.depth);
        let depthEnd = min(depthBegin + uniforms.splitDepth, uniforms.depth);`,
      result: {
        index: (row, column) =>
          `((result * uniforms.rows + ${row}) * uniforms.columns + ${column})`,
        vector: vectorY,
        transform: epilogue?.apply,
      },
    },
    a,
    b,
    outputs: {y: result},
    inputs: epilogue?.inputs,
    uniforms: {
      rows,
      columns,
      depth,
      batchSize,
      // A multiple of every tile's depth and of the vectors that are read.
      splitDepth: splits === 1 ? depth : Math.ceil(depth / splits / 64) * 64,
      ...epilogue?.uniforms,
    },
    problem: {rows, columns},
    precision,
    workgroups: (tile) => splits * batchSize * rowTiles(tile) * columnTiles(tile),
    tileUniforms: (tile) => ({rowTiles: rowTiles(tile), columnTiles: columnTiles(tile)}),
  });
  if (splits > 1) {
    sumSplits(backend, result, y);
    backend.disposeData(result.dataId);
  }
  return y;
}

function chooseSplits(batchSize: number, rows: number, columns: number, depth: number): number {
  const workgroups = batchSize * Math.ceil(rows / 128) * Math.ceil(columns / 128);
  const useful = Math.min(
    Math.floor(ENOUGH_WORKGROUPS / workgroups),
    Math.floor(depth / LEAST_DEPTH),
  );
  return Math.max(1, useful);
}

/** WGSL of type u32: the matrix of an operand that meets number `matrix` of the broadcast batch. */
function batchIndex(operand: number[], batch: number[]): string {
  const size = util.sizeFromShape(operand);
  if (size === 1) {
    return '0u';
  }
  if (size === util.sizeFromShape(batch)) {
    return 'matrix';
  }
  const strides = util.computeStrides([...operand, 1]);
  const missing = batch.length - operand.length;
  const terms = operand.flatMap((length, axis) => {
    const after = util.sizeFromShape(batch.slice(axis + missing + 1));
    return length === 1 ? [] : [`matrix / ${after}u % ${length}u * ${strides[axis]}u`];
  });
  return `(${terms.join(' + ')})`;
}

const WORKGROUP_SIZE = 256;

const sumProgram = (vector: 1 | 4): Program => ({
  name: `${BatchMatMul}Sum`,
  variant: String(vector),
  inputs: {partial: resultType(vector)},
  outputs: {y: resultType(vector)},
  uniforms: {size: 'u32', splits: 'u32'},
  workgroupSize: WORKGROUP_SIZE,
  main: () => `
    if (index >= uniforms.size) { return; }
    var sum = partial[index];
    for (var i = 1u; i < uniforms.splits; i++) { sum += partial[i * uniforms.size + index]; }
    y[index] = sum;`,
});

/** Adds the partial sums up, [splits, size] -> [size]. */
function sumSplits(backend: WebGPUBackend, partial: TensorInfo, y: TensorInfo) {
  const [splits, elements] = partial.shape;
  const vector = vectorOf(elements);
  const size = elements / vector;
  runProgram(backend, sumProgram(vector), {
    inputs: {partial},
    outputs: {y},
    uniforms: {size, splits},
    workgroups: workgroupsFor(size, WORKGROUP_SIZE),
  });
}
