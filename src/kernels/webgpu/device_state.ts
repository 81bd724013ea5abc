import {util} from '@tensorflow/tfjs-core';
import {assert} from '../../asserts';
import type {Precision} from '../../kernel_names';
import {Magnitudes} from './magnitudes';
import type {MatrixUnit} from './matmul_float16';
import {type Tiles, tilesFor} from './matmul_tiles';
import type {CompiledProgram} from './program';

const MAX_UNIFORM_BUFFERS = 4096;

/** The limits that are asked for in every run: each question to the device itself takes a microsecond. */
export type Limits = Record<
  | 'maxBufferSize'
  | 'maxStorageBufferBindingSize'
  | 'maxComputeWorkgroupStorageSize'
  | 'maxComputeInvocationsPerWorkgroup'
  | 'maxComputeWorkgroupsPerDimension',
  number
>;

/** What is kept for one device: compiled programs, uniforms, and whether it is lost. */
export class DeviceState {
  /** Bound in the place of a tensor without elements, since an empty binding is invalid. */
  readonly emptyBuffer: GPUBuffer;
  /** Of products that do not say. */
  precision: Precision = 'float32';
  /** What the matrix units multiply; null where there are none, or WGSL does not reach them. */
  readonly matrixUnit: MatrixUnit | null;
  readonly subgroupSize: number;
  readonly limits: Limits;
  /** What products choose their tiles from. */
  tiles: Tiles;
  private magnitudesIfUsed?: Magnitudes;
  private readonly pipelines = new Map<string, CompiledProgram>();
  private readonly uniformBuffers = new Map<string, GPUBuffer>();
  private lostMessage: string | null = null;

  /** @param info What the adapter says of itself; by default what the device knows of it. */
  constructor(
    private readonly device: GPUDevice,
    info = adapterInfo(device),
  ) {
    this.emptyBuffer = device.createBuffer({size: 16, usage: GPUBufferUsage.STORAGE});
    this.matrixUnit = findMatrixUnit(device, info);
    const {limits} = device;
    this.limits = {
      maxBufferSize: limits.maxBufferSize,
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
      maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
      maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
      maxComputeWorkgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
    };
    this.tiles = tilesFor(info?.vendor ?? '', isSoftware(info));
    this.subgroupSize = info?.subgroupMaxSize || 32;
    void device.lost.then(({message}) => {
      this.lostMessage = message || 'no reason was given';
    });
  }

  /** @throws If the device is lost: whatever ran on it would silently compute nothing. */
  assertAlive(kernelName: string) {
    assert(
      this.lostMessage == null,
      () =>
        `${kernelName}: the WebGPU device is lost (${this.lostMessage}); set the backend up again ` +
        'and go on from the last checkpoint',
    );
  }

  /** @throws If no buffer of the device holds a tensor of this shape. */
  assertFits(kernelName: string, shape: readonly number[]) {
    const bytes = 4 * util.sizeFromShape([...shape]);
    const limit = Math.min(this.limits.maxStorageBufferBindingSize, this.limits.maxBufferSize);
    assert(
      bytes <= limit,
      () =>
        `${kernelName}: a tensor of shape [${shape}] takes ${bytes} bytes, and a buffer of this ` +
        `WebGPU device holds at most ${limit}; use a smaller batch or model`,
    );
  }

  /** The program of this key, compiled at its first use. */
  pipeline(key: string, compile: () => CompiledProgram): CompiledProgram {
    let compiled = this.pipelines.get(key);
    if (compiled == null) {
      compiled = compile();
      this.pipelines.set(key, compiled);
    }
    return compiled;
  }

  /** The largest magnitudes of tensors, for half precision. */
  get magnitudes(): Magnitudes {
    return (this.magnitudesIfUsed ??= new Magnitudes(this.device));
  }

  /** Whether products run in half precision where nothing else is said. */
  get multipliesInHalf(): boolean {
    return this.precision === 'float16' && this.matrixUnit != null;
  }

  /** How many programs were compiled. */
  get numPipelines(): number {
    return this.pipelines.size;
  }

  /** A buffer with this content. Shapes repeat from step to step, so most buffers are found again. */
  uniformBuffer(data: DataView): GPUBuffer {
    const bytes = new Uint32Array(data.buffer);
    const key = bytes.join();
    let buffer = this.uniformBuffers.get(key);
    if (buffer == null) {
      if (this.uniformBuffers.size >= MAX_UNIFORM_BUFFERS) {
        // Not destroyed: commands that are not submitted yet may need them.
        this.uniformBuffers.clear();
      }
      buffer = this.device.createBuffer({
        size: bytes.byteLength,
        usage: GPUBufferUsage.UNIFORM,
        mappedAtCreation: true,
      });
      new Uint32Array(buffer.getMappedRange()).set(bytes);
      buffer.unmap();
      this.uniformBuffers.set(key, buffer);
    }
    return buffer;
  }
}

/** What Dawn says of an adapter and the WebGPU types do not know yet. */
interface ExtendedAdapterInfo extends GPUAdapterInfo {
  subgroupMatrixConfigs?: {
    componentType: string;
    resultComponentType: string;
    M: number;
    N: number;
    K: number;
  }[];
}

function adapterInfo(device: GPUDevice): ExtendedAdapterInfo | undefined {
  return (device as {adapterInfo?: ExtendedAdapterInfo}).adapterInfo;
}

/** Whether an adapter is one of those that compute in software. */
export function isSoftware(info: GPUAdapterInfo | undefined): boolean {
  const names = `${info?.vendor} ${info?.architecture} ${info?.device} ${info?.description}`;
  return info?.isFallbackAdapter || /swiftshader|llvmpipe|software/i.test(names);
}

/** The largest unit that multiplies halves and sums in float32. */
function findMatrixUnit(
  device: GPUDevice,
  info: ExtendedAdapterInfo | undefined,
): MatrixUnit | null {
  const needed = ['shader-f16', 'subgroups', 'chromium-experimental-subgroup-matrix'];
  // The lanes of a workgroup are dealt to subgroups of one size.
  const oneSize = info?.subgroupMinSize === info?.subgroupMaxSize;
  if (!oneSize || !needed.every((name) => device.features.has(name))) {
    return null;
  }
  const units = (info?.subgroupMatrixConfigs ?? [])
    .filter(
      ({componentType, resultComponentType}) =>
        componentType === 'f16' && resultComponentType === 'f32',
    )
    .map(({M, N, K}) => ({rows: M, columns: N, depth: K}))
    .sort((a, b) => b.rows * b.columns * b.depth - a.rows * a.columns * a.depth);
  // Dawn in Node.js does not list the units; those of NVIDIA's GPUs are known.
  const known = info?.vendor === 'nvidia' ? {rows: 16, columns: 16, depth: 16} : null;
  return units[0] ?? known;
}

/** On the device itself, so that all copies of this package in a process share it. */
const STATE = Symbol.for('tfjs-megablocks.webgpu');

export function deviceState(device: GPUDevice, info?: GPUAdapterInfo): DeviceState {
  const holder = device as unknown as Record<symbol, DeviceState>;
  return (holder[STATE] ??= new DeviceState(device, info));
}
