import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {type TensorInfo, util} from '@tensorflow/tfjs-core';
import {deviceState} from './device_state';
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
  private taken = new WeakMap<object, number>();

  constructor(device: GPUDevice) {
    this.buffer = device.createBuffer({
      label: 'magnitudes',
      size: 4 * SLOTS,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC,
    });
  }

  /** The slot of the tensor's data, unless it has none or has lost it to another. */
  find({dataId}: TensorInfo): number | undefined {
    const number = this.taken.get(dataId);
    return number != null && number >= this.next - SLOTS + SEGMENT ? number % SLOTS : undefined;
  }

  /** Forgets all slots, so that a benchmark finds every magnitude anew. */
  forget() {
    this.taken = new WeakMap();
  }

  /** A slot for the tensor's data, zero. */
  take(backend: WebGPUBackend, {dataId}: TensorInfo): number {
    const number = this.next++;
    const slot = number % SLOTS;
    if (slot % SEGMENT === 0) {
      backend.ensureCommandEncoderReady();
      backend.endComputePassEncoder();
      internals(backend).commandEncoder.clearBuffer(this.buffer, 4 * slot, 4 * SEGMENT);
    }
    this.taken.set(dataId, number);
    return slot;
  }
}

const WORKGROUP_SIZE = 256;
const MAX_WORKGROUPS = 1024;

/** Invocations stride over the tensor; the maximum of a workgroup joins that of the others. */
function magnitudeProgram(vector: 1 | 4): Program {
  const bits =
    vector === 4
      ? 'let v = bitcast<vec4u>(x[i]) & vec4u(0x7fffffffu); largest = max(largest, max(max(v.x, v.y), max(v.z, v.w)));'
      : 'largest = max(largest, bitcast<u32>(x[i]) & 0x7fffffffu);';
  return {
    name: 'MegaBlocksMagnitude',
    variant: String(vector),
    inputs: {x: vector === 4 ? 'vec4<f32>' : 'f32'},
    outputs: {magnitudes: 'atomic<u32>'},
    uniforms: {size: 'u32', slot: 'u32', stride: 'u32'},
    uniformsChange: true,
    workgroupSize: WORKGROUP_SIZE,
    declarations: () => 'var<workgroup> largestOfAll : atomic<u32>;',
    main: () => `
      var largest = 0u;
      for (var i = index; i < uniforms.size; i += uniforms.stride) { ${bits} }
      atomicMax(&largestOfAll, largest);
      workgroupBarrier();
      if (lane == 0u) { atomicMax(&magnitudes[uniforms.slot], atomicLoad(&largestOfAll)); }`,
  };
}

/** The slot of the largest magnitude of a tensor; found once for the same data. NaN is the largest. */
export function magnitudeOf(backend: WebGPUBackend, x: TensorInfo): number {
  const {magnitudes} = deviceState(backend.device);
  const found = magnitudes.find(x);
  if (found != null) {
    return found;
  }
  const slot = magnitudes.take(backend, x);
  const elements = util.sizeFromShape(x.shape);
  const vector = elements % 4 === 0 ? 4 : 1;
  const size = elements / vector;
  const workgroups = Math.min(MAX_WORKGROUPS, workgroupsFor(size, WORKGROUP_SIZE));
  runProgram(backend, magnitudeProgram(vector), {
    inputs: {x},
    outputs: {magnitudes: magnitudes.buffer},
    uniforms: {size, slot, stride: workgroups * WORKGROUP_SIZE},
    workgroups,
  });
  return slot;
}
