import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {type DataType, type TensorInfo, util} from '@tensorflow/tfjs-core';
import {assert} from '../../asserts';
import {contextOf, maxTextureSize} from './context';
import {
  type Layout,
  liesAlike,
  linesOf,
  matricesOf,
  type Matrices,
  numTexels,
  rowsPerLine,
} from './layout';

/** A float32 texture holds every integer up to here, both signs, and tfjs holds int32 in no other. */
const MAX_EXACT_INT = 2 ** 24;

/** The texture of a tensor, and how the tensor lies in it. */
export interface Texture extends Matrices {
  texture: WebGLTexture;
  layout: Layout;
  /** In texels. */
  width: number;
  height: number;
  /** How many rows of texels a line holds, of a packed one; 0 if a row may go on in the next line. */
  rowsPerLine: number;
  /** Elements. */
  size: number;
  /** Where the first element lies, of a flat one: tfjs' slices share the texture of the whole. */
  offset: number;
}

/** A new tensor on the device: a program must write all of it. */
export function makeOutput(
  backend: MathBackendWebGL,
  kernelName: string,
  {shape, dtype, layout}: {shape: number[]; dtype: DataType; layout: Layout},
): TensorInfo {
  assertFits(kernelName, shape, layout);
  const info = backend.makeTensorInfo(shape, dtype);
  const data = backend.texData.get(info.dataId);
  if (util.sizeFromShape(shape) === 0) {
    data.values = util.getTypedArrayFromDType(dtype as 'float32', 0);
  } else {
    data.isPacked = layout === 'packed';
    const sides = layout === 'packed' ? linesOf(shape, maxTextureSize()) : null;
    if (sides != null) {
      // Else tfjs chooses; it reads packed textures of all sides.
      data.texShape = [2 * sides.height, 2 * sides.width];
    }
    backend.uploadToGPU(info.dataId);
  }
  return info;
}

/** Whether a tensor lies as `layout` says, once `textureOf` has brought it to the device. */
export function isLaidOut(
  backend: MathBackendWebGL,
  {dataId, shape}: TensorInfo,
  layout: Layout,
): boolean {
  const {texture, isPacked, shape: textureShape} = backend.texData.get(dataId);
  if (texture == null) {
    return true;
  }
  return layout === 'packed' ? !!isPacked && liesAlike(textureShape, shape) : !isPacked;
}

/** The texture of a tensor that lies as `layout` says. */
export function textureOf(
  backend: MathBackendWebGL,
  kernelName: string,
  {dataId, shape, dtype}: TensorInfo,
  layout: Layout,
): Texture {
  const size = util.sizeFromShape(shape);
  const matrices = matricesOf(shape);
  if (size === 0) {
    const texture = contextOf(backend, kernelName).emptyTexture;
    return {texture, layout, width: 1, height: 1, rowsPerLine: 1, size, offset: 0, ...matrices};
  }
  const data = backend.texData.get(dataId);
  if (data.texture == null) {
    assertFits(kernelName, shape, layout);
    if (dtype === 'int32') {
      assertExact(kernelName, data.values as Int32Array);
    }
    if (layout === 'packed') {
      data.isPacked = true;
      data.shape = shape;
    }
    backend.uploadToGPU(dataId);
  }
  const {texture, texShape, slice} = backend.texData.get(dataId);
  const [height, width] = layout === 'flat' ? texShape! : texShape!.map((n) => Math.ceil(n / 2));
  return {
    texture: texture!.texture,
    layout,
    width,
    height,
    rowsPerLine: layout === 'flat' ? 0 : rowsPerLine(width, matrices),
    size,
    offset: slice?.flatOffset ?? 0,
    ...matrices,
  };
}

/** @throws If positions among so many elements, or their number, are not exact. */
export function assertCountable(kernelName: string, size: number) {
  assert(
    size <= MAX_EXACT_INT,
    () =>
      `${kernelName}: the webgl backend counts at most 2^24 elements, which float32 textures hold ` +
      `exactly, got ${size}`,
  );
}

function assertFits(kernelName: string, shape: readonly number[], layout: Layout) {
  const [texels, side] = [numTexels(shape, layout), maxTextureSize()];
  assert(
    texels <= side * side,
    () =>
      `${kernelName}: a tensor of shape [${shape}] takes ${texels} texels, and a texture of this WebGL ` +
      `device holds at most ${side} x ${side}; use a smaller batch or model`,
  );
}

function assertExact(kernelName: string, values: ArrayLike<number>) {
  for (let i = 0; i < values.length; i++) {
    assert(
      Math.abs(values[i]) <= MAX_EXACT_INT,
      () =>
        `${kernelName}: an int32 on the webgl backend must be exact in a float32, so at most 2^24 in ` +
        `magnitude, got ${values[i]}`,
    );
  }
}
