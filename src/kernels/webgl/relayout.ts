import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import type {TensorInfo} from '@tensorflow/tfjs-core';
import {type Layout, linesOf} from './layout';
import {maxTextureSize} from './context';
import {type Program, runProgram} from './program';
import {isLaidOut, textureOf} from './textures';

const PACK: Program = {
  name: 'pack',
  inputs: {x: 'flat'},
  layout: 'packed',
  outputs: ['y'],
  main: `
    int batch = rowTexel / out_rowTexels;
    int row = 2 * (rowTexel - batch * out_rowTexels);
    int index = (batch * out_rows + row) * out_columns + 2 * columnTexel;
    y = vec4(x(index), x(index + 1), x(index + out_columns), x(index + out_columns + 1));`,
};

const UNPACK: Program = {
  name: 'unpack',
  inputs: {x: 'packed'},
  layout: 'flat',
  outputs: ['y'],
  main: `
    int row = index / x_columns;
    int batch = row / x_rows;
    y = xValue(batch * 2 * x_rowTexels + row - batch * x_rows, index - row * x_columns);`,
};

/** A copy of a tensor that lies as `layout` says. Both programs serve every shape. */
export function relayout(
  backend: MathBackendWebGL,
  {dataId, shape, dtype}: TensorInfo,
  layout: Layout,
): TensorInfo {
  const {isPacked, shape: textureShape} = backend.texData.get(dataId);
  const run = (program: Program, x: TensorInfo, shape: number[]) =>
    runProgram(backend, program, {inputs: {x}, shape, dtype: dtype as 'float32' | 'int32'});
  if (!isPacked) {
    return run(PACK, {dataId, shape, dtype}, shape);
  }
  // Its texture lies as the tensor did that it was made for.
  const flat = run(UNPACK, {dataId, shape: textureShape, dtype}, shape);
  if (layout === 'flat') {
    return flat;
  }
  const packed = run(PACK, flat, shape);
  backend.disposeIntermediateTensorInfo(flat);
  return packed;
}

const COPY: Program = {
  name: 'align',
  inputs: {x: 'packed'},
  layout: 'packed',
  outputs: ['y'],
  main: 'y = x(rowTexel, columnTexel);',
};

/**
 * Has the lines of a packed texture hold whole rows, where they can: for what reads it many times. A large
 * tensor that tfjs made has other lines.
 */
export function alignLines(backend: MathBackendWebGL, tensor: TensorInfo) {
  const {dataId, shape, dtype} = tensor;
  if (
    !isLaidOut(backend, tensor, 'packed') ||
    textureOf(backend, COPY.name, tensor, 'packed').rowsPerLine > 0 ||
    linesOf(shape, maxTextureSize()) == null
  ) {
    return;
  }
  const copy = runProgram(backend, COPY, {
    inputs: {x: tensor},
    shape,
    dtype: dtype as 'float32' | 'int32',
  });
  const [data, aligned] = [dataId, copy.dataId].map((id) => backend.texData.get(id));
  for (const field of ['texture', 'texShape', 'usage'] as const) {
    [data[field], aligned[field]] = [aligned[field], data[field]] as never[];
  }
  backend.disposeIntermediateTensorInfo(copy);
}
