import {deviceState} from '../src/kernels/webgpu/device_state';
import type {Float16Tile, MatrixUnit} from '../src/kernels/webgpu/matmul_float16';

// No GPU in software multiplies matrices, or has halves. Here the programs for matrix units are written anew
// with functions in the place of the units: a lane holds one row of the left matrix and of the result, in
// float32, and reads the right one where it lies, as halves. So what the programs say is computed, slowly, on
// any device; what a real driver makes of it is for a real GPU.

const LOAD = /subgroupMatrixLoad<subgroup_matrix_(left|right)<[^>]*>, (row|col)_major>\(&\w+, /g;
const STORE = /subgroupMatrixStore<row_major>\(&\w+, /g;
const LEFT = /subgroup_matrix_left<f16, (\d+), \d+>/g;
const RESULT = /subgroup_matrix_result<f32, (\d+), \d+>/g;
const HALVES = /bitcast<u32>\(vec2h\(([^()]*)\)\)/g;
/** What the units read and write. */
const MEMORY = /var<workgroup> (panels|memory) /;
const BEGIN = '  let group = ';

/** A small tile of the units: one of several units, in several subgroups. */
function smallTile({rows, columns, depth}: MatrixUnit): Float16Tile {
  const size = {subgroupRows: 2 * rows, subgroupColumns: 2 * columns};
  return {...size, rows: 4 * rows, columns: 4 * columns, depth: 2 * depth, unroll: 1};
}

/**
 * Has a device without matrix units run half precision as if it had this one.
 *
 * @returns The programs that are emulated, as they come.
 */
export function emulateMatrixUnits(
  device: GPUDevice,
  unit: MatrixUnit,
  subgroupSize: number,
): ReadonlySet<string> {
  const state = deviceState(device);
  Object.assign(state, {matrixUnit: unit, subgroupSize, precision: 'float16'});
  state.tiles = {...state.tiles, float16: [smallTile(unit)]};
  const createShaderModule = device.createShaderModule.bind(device);
  const emulated = new Set<string>();
  device.createShaderModule = (descriptor) => {
    const code = withoutUnits(descriptor.code, unit);
    if (code !== descriptor.code) {
      emulated.add(code);
    }
    return createShaderModule({...descriptor, code});
  };
  return emulated;
}

function withoutUnits(code: string, unit: MatrixUnit): string {
  const memory = MEMORY.exec(code)?.[1];
  if (memory == null || !code.includes('subgroup_matrix')) {
    return code;
  }
  const body = code
    .replace(/enable (f16|chromium_experimental_subgroup_matrix);/g, '')
    .replace('diagnostic(off, chromium.subgroup_matrix_uniformity);', '')
    .replace(HALVES, 'pack2x16float($1)')
    .replace(LOAD, 'load_$1_$2(')
    .replace(STORE, 'storeResult(')
    .replace(LEFT, 'array<f32, $1>')
    .replace(RESULT, 'array<f32, $1>')
    .replaceAll('subgroupMatrixMultiplyAccumulate(', 'multiplyAccumulate(')
    .replace(BEGIN, `  unitRow = subgroup_invocation_id % ${unit.rows}u;\n${BEGIN}`);
  return body + functions(memory, unit);
}

/** The memory is one of vectors of two words: four halves, or two floats. */
function functions(memory: string, {columns, depth}: MatrixUnit): string {
  return `
    var<private> unitRow : u32;

    fn halfAt(at : u32) -> f32 {
      return unpack2x16float(${memory}[at / 4u][at % 4u / 2u])[at % 2u];
    }
    fn load_left(offset : u32, rowStride : u32, depthStride : u32) -> array<f32, ${depth}> {
      var row : array<f32, ${depth}>;
      for (var k = 0u; k < ${depth}u; k++) {
        row[k] = halfAt(4 * offset + unitRow * rowStride + k * depthStride);
      }
      return row;
    }
    fn load_left_row(offset : u32, stride : u32) -> array<f32, ${depth}> {
      return load_left(offset, 4 * stride, 1);
    }
    fn load_left_col(offset : u32, stride : u32) -> array<f32, ${depth}> {
      return load_left(offset, 1, 4 * stride);
    }

    struct Right { begin : u32, depthStride : u32, columnStride : u32 }
    fn load_right_row(offset : u32, stride : u32) -> Right { return Right(4 * offset, 4 * stride, 1); }
    fn load_right_col(offset : u32, stride : u32) -> Right { return Right(4 * offset, 1, 4 * stride); }

    fn multiplyAccumulate(a : array<f32, ${depth}>, b : Right, c : array<f32, ${columns}>)
      -> array<f32, ${columns}> {
      var row = a;
      var sums = c;
      for (var j = 0u; j < ${columns}u; j++) {
        for (var k = 0u; k < ${depth}u; k++) {
          sums[j] += row[k] * halfAt(b.begin + k * b.depthStride + j * b.columnStride);
        }
      }
      return sums;
    }

    fn storeResult(offset : u32, result : array<f32, ${columns}>, stride : u32) {
      var sums = result;
      for (var j = 0u; j < ${columns}u; j++) {
        let at = 2 * (offset + unitRow * stride) + j;
        ${memory}[at / 2u][at % 2u] = bitcast<u32>(sums[j]);
      }
    }`;
}
