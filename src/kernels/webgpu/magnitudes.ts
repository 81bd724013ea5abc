import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {type TensorInfo, util} from '@tensorflow/tfjs-core';
import {deviceState} from './device_state';
import {type FloatType, floatType, lengthOf} from './float_wgsl';
import {magnitudeRecord} from './magnitude_wgsl';
import {internals, type Program, runProgram, workgroupsFor} from './program';

// The largest magnitude of a tensor decides by which power of two half precision scales it. It never
// leaves the device: a product is told the slot of one buffer where it stands.

const SLOTS = 1 << 16;
/** Slots are zeroed a segment at a time, just before the first of them is taken again. */
const SEGMENT = 1 << 10;

/** The slots of one device, taken in turn, and which tensor has which. */
export class Magnitudes {
  /** The bits of the largest magnitudes: of floats without a sign, those sort as the floats do. */
  readonly buffer: GPUBuffer;
  private next = 0;
  private readonly taken = new WeakMap<object, number>();
  /** Of the used blocks of block-sparse values alone, and by which index. */
  private readonly takenForBlocks = new WeakMap<object, {index: object; number: number}>();

  constructor(device: GPUDevice) {
    this.buffer = device.createBuffer({
      label: 'magnitudes',
      size: 4 * SLOTS,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC,
    });
  }

  /** The slot of the tensor's data, or of its used blocks, unless it has none or has lost it to another. */
  find({dataId}: TensorInfo, blocks?: UsedBlocks): number | undefined {
    const ofBlocks = this.takenForBlocks.get(dataId);
    const number =
      blocks == null
        ? this.taken.get(dataId)
        : ofBlocks?.index === blocks.columnIndices.dataId
          ? ofBlocks.number
          : undefined;
    return number != null && number >= this.next - SLOTS + SEGMENT ? number % SLOTS : undefined;
  }

  /** Forgets the slot of the tensor's data, so that a benchmark finds its magnitude anew. */
  forget({dataId}: TensorInfo) {
    this.taken.delete(dataId);
  }

  /** A slot for the tensor's data, or for its used blocks, zero. */
  take(backend: WebGPUBackend, {dataId}: TensorInfo, blocks?: UsedBlocks): number {
    const number = this.next++;
    const slot = number % SLOTS;
    if (slot % SEGMENT === 0) {
      backend.ensureCommandEncoderReady();
      backend.endComputePassEncoder();
      internals(backend).commandEncoder.clearBuffer(this.buffer, 4 * slot, 4 * SEGMENT);
    }
    if (blocks == null) {
      this.taken.set(dataId, number);
    } else {
      this.takenForBlocks.set(dataId, {index: blocks.columnIndices.dataId, number});
    }
    return slot;
  }
}

/** Which blocks of block-sparse values count: those whose column there is, whatever the others hold. */
export interface UsedBlocks {
  /** The column of each block, [nnz], int32. */
  columnIndices: TensorInfo;
  /** How many columns of blocks there are. */
  numColumns: number;
  blockSize: number;
}

/**
 * What a dispatch needs whose program records the largest magnitude of a tensor that it writes, so that the
 * next product in half precision need not look for it; null where no product would: in float32, and of
 * vectors, which are not multiplied.
 */
export function recordMagnitude(
  backend: WebGPUBackend,
  y: TensorInfo,
): {outputs: {magnitudes: GPUBuffer}; uniforms: {slot: number}} | null {
  const state = deviceState(backend.device);
  if (!state.multipliesInHalf || y.shape.length < 2) {
    return null;
  }
  const {magnitudes} = state;
  return {
    outputs: {magnitudes: magnitudes.buffer},
    uniforms: {slot: magnitudes.take(backend, y)},
  };
}

const WORKGROUP_SIZE = 256;
const MAX_WORKGROUPS = 1024;

/** Invocations stride over the tensor; the maximum of a workgroup joins that of the others. */
function magnitudeProgram(type: FloatType, ofBlocks: boolean): Program {
  const record = magnitudeRecord('x', type);
  const join = record.join('x[i]');
  return {
    name: 'MegaBlocksMagnitude',
    variant: `${type} ${ofBlocks}`,
    inputs: {x: type, ...(ofBlocks && {columnIndices: 'i32'})},
    outputs: record.outputs,
    uniforms: {
      size: 'u32',
      stride: 'u32',
      ...(ofBlocks && {numColumns: 'u32', sizeOfBlock: 'u32'}),
      ...record.uniforms,
    },
    uniformsChange: true,
    workgroupSize: WORKGROUP_SIZE,
    declarations: () => record.declarations,
    main: () => `
      ${record.begin}
      for (var i = index; i < uniforms.size; i += uniforms.stride) {
        ${
          ofBlocks
            ? `let column = columnIndices[i / uniforms.sizeOfBlock];
               if (column >= 0 && u32(column) < uniforms.numColumns) { ${join} }`
            : join
        }
      }
      ${record.end}`,
  };
}

/**
 * The slot of the largest magnitude of a tensor, or of the used blocks of block-sparse values; found once for
 * the same data. NaN is the largest.
 */
export function magnitudeOf(backend: WebGPUBackend, x: TensorInfo, blocks?: UsedBlocks): number {
  const {magnitudes} = deviceState(backend.device);
  const found = magnitudes.find(x, blocks);
  if (found != null) {
    return found;
  }
  const slot = magnitudes.take(backend, x, blocks);
  const elements = util.sizeFromShape(x.shape);
  // A vector lies in one block.
  const type = blocks != null && blocks.blockSize % 2 === 1 ? 'f32' : floatType(elements);
  const size = elements / lengthOf(type);
  const workgroups = Math.min(MAX_WORKGROUPS, workgroupsFor(size, WORKGROUP_SIZE));
  runProgram(backend, magnitudeProgram(type, blocks != null), {
    inputs: {x, ...(blocks && {columnIndices: blocks.columnIndices})},
    outputs: {magnitudes: magnitudes.buffer},
    uniforms: {
      size,
      slot,
      stride: workgroups * WORKGROUP_SIZE,
      ...(blocks && {
        numColumns: blocks.numColumns,
        sizeOfBlock: blocks.blockSize ** 2 / lengthOf(type),
      }),
    },
    workgroups,
  });
  return slot;
}
