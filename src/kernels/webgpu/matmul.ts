import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import type {TensorInfo} from '@tensorflow/tfjs-core';
import type {Precision} from '../../kernel_names';
import {type DeviceState, deviceState} from './device_state';
import {magnitudeOf, type UsedBlocks} from './magnitudes';
import {float16Program, type Float16Tile} from './matmul_float16';
import {float32Program} from './matmul_float32';
import {
  magnitudesOf,
  type MatMulResult,
  type MatMulSource,
  type Operand,
  type TileSize,
} from './matmul_program';
import {runProgram} from './program';
import {chooseFloat16Tile, chooseFloat32Tile, type Problem} from './matmul_tiles';

/** A product and its operands. */
export interface MatMul {
  source: MatMulSource;
  a: TensorInfo;
  b: TensorInfo;
  /** What is written, by the names of the source. */
  outputs: Record<string, TensorInfo>;
  /** The other inputs of the source. */
  inputs?: Record<string, TensorInfo>;
  uniforms: Record<string, number>;
  /** Those that depend on the tile. */
  tileUniforms?: (tile: TileSize) => Record<string, number>;
  /** Which blocks of an operand count, by its buffer. Default: all of it. */
  usedBlocks?: Record<string, UsedBlocks>;
  /** What the tile is chosen by. */
  problem: Problem;
  /** How many workgroups it takes. */
  workgroups: (tile: TileSize) => number;
  /** Default: the device's own. */
  precision?: Precision;
}

/** The tile of a product that runs on matrix units; null where it does not. */
function float16TileOf(
  {matrixUnit, precision: ofDevice, tiles}: DeviceState,
  problem: Problem,
  precision = ofDevice,
): Float16Tile | null {
  return precision === 'float16' && matrixUnit != null
    ? chooseFloat16Tile(problem, tiles.float16, matrixUnit)
    : null;
}

/** How many columns the cores' `sumAcross` sums over, for a problem and precision. */
export function acrossWidth(
  backend: WebGPUBackend,
  problem: Problem,
  precision?: Precision,
): number {
  return float16TileOf(deviceState(backend.device), problem, precision)?.subgroupColumns ?? 4;
}

/** Runs a product, on the matrix units where the precision allows them and the device has them. */
export function runMatMul(backend: WebGPUBackend, product: MatMul) {
  const {source, a, b, outputs, inputs, workgroups, problem} = product;
  const uniforms = (tile: TileSize) => ({...product.uniforms, ...product.tileUniforms?.(tile)});
  const state = deviceState(backend.device);
  const {matrixUnit, subgroupSize} = state;
  const operands = {[source.a.buffer]: a, [source.b.buffer]: b};
  const float16Tile = float16TileOf(state, problem, product.precision);
  if (float16Tile != null && matrixUnit != null) {
    const [magnitudeA, magnitudeB] = [source.a, source.b].map(({buffer}) =>
      magnitudeOf(backend, operands[buffer], product.usedBlocks?.[buffer]),
    );
    const recorded = magnitudesOf(source).map((name) => [
      `magnitude_${name}`,
      state.magnitudes.take(backend, outputs[name]),
    ]);
    const magnitudes = {magnitudes: state.magnitudes.buffer};
    const program = float16Program(source, float16Tile, matrixUnit, subgroupSize);
    runProgram(backend, program, {
      inputs: {...operands, ...inputs, ...(recorded.length > 0 ? {} : magnitudes)},
      outputs: {...outputs, ...(recorded.length > 0 ? magnitudes : {})},
      uniforms: {...uniforms(float16Tile), magnitudeA, magnitudeB, ...Object.fromEntries(recorded)},
      workgroups: workgroups(float16Tile),
    });
    return;
  }
  const tile = chooseFloat32Tile(problem, state.tiles.float32, state.limits);
  runProgram(backend, float32Program(source, tile), {
    inputs: {...operands, ...inputs},
    outputs,
    uniforms: uniforms(tile),
    workgroups: workgroups(tile),
  });
}

/** How many elements of rows of this length are read or written at once. */
export function vectorOf(...lengths: number[]): 1 | 4 {
  return lengths.every((length) => length % 4 === 0) ? 4 : 1;
}

export function resultType(vector: 1 | 4): string {
  return vector === 4 ? 'vec4<f32>' : 'f32';
}

/** A matrix as it lies, row by row; `sizes` names the uniforms that hold its outer and summed size. */
export function denseOperand(
  buffer: string,
  depthIsInner: boolean,
  vector: 1 | 4,
  sizes: {outer: string; depth: string},
): Operand {
  const stride = depthIsInner ? sizes.depth : sizes.outer;
  return {buffer, depthIsInner, vector, base: (lead) => `(${lead} * uniforms.${stride})`};
}

/** A result that lies row by row, `uniforms.columns` each. */
export function rowsOfResult(vector: 1 | 4): MatMulResult {
  return {
    index: (row, column) => `(${row} * uniforms.columns + ${column})`,
    vector,
  };
}
