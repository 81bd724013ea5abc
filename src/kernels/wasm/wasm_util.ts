import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {type DataType, type TensorInfo, util} from '@tensorflow/tfjs-core';
import {assert} from '../../asserts';
import type {BlockIndices} from '../shared/sparse_blocks';

/** What an address of the heap counts. */
const MAX_BYTES = 2 ** 32 - 1;

/**
 * A new tensor on the heap, whose memory is not zeroed.
 *
 * @throws If it is larger than any heap: tfjs would ask for what is left of its size beyond 4 GiB.
 */
export function makeOutput(backend: BackendWasm, shape: number[], dtype: DataType): TensorInfo {
  const bytes = util.sizeFromShape(shape) * util.bytesPerElement(dtype);
  assert(
    bytes <= MAX_BYTES,
    () =>
      `wasm: a tensor must be at most ${MAX_BYTES} bytes, got shape [${shape}], which takes ${bytes}; ` +
      'use a smaller batch or model',
  );
  return backend.makeOutput(shape, dtype);
}

// Views of the heap: take them after every allocation, since growing the heap detaches them.

/** The values of a float32 tensor on the wasm heap; not a copy. */
export function floats(backend: BackendWasm, x: TensorInfo): Float32Array {
  return backend.typedArrayFromHeap(x) as Float32Array;
}

/** The values of an int32 tensor on the wasm heap; not a copy. */
export function ints(backend: BackendWasm, x: TensorInfo): Int32Array {
  return backend.typedArrayFromHeap(x) as Int32Array;
}

/** The values of a float32 or int32 tensor on the wasm heap; not a copy. */
export function values(backend: BackendWasm, x: TensorInfo): Float32Array | Int32Array {
  return backend.typedArrayFromHeap(x) as Float32Array | Int32Array;
}

/** Where a tensor lies on the wasm heap, in bytes. */
export function address(backend: BackendWasm, x: TensorInfo): number {
  return backend.dataIdMap.get(x.dataId).memoryOffset;
}

/** Where the blocks of a block-sparse matrix lie. */
export function blockIndices(
  backend: BackendWasm,
  rowIndices: TensorInfo,
  columnIndices: TensorInfo,
): BlockIndices {
  return {rowIndices: ints(backend, rowIndices), columnIndices: ints(backend, columnIndices)};
}

/** `size` floats at a heap address; not a copy. */
export function floatsAt(backend: BackendWasm, at: number, size: number): Float32Array {
  return new Float32Array(emscripten(backend).HEAPU8.buffer, at, size);
}

/** `size` integers at a heap address; not a copy. */
export function intsAt(backend: BackendWasm, at: number, size: number): Int32Array {
  return new Int32Array(emscripten(backend).HEAPU8.buffer, at, size);
}

/** What Emscripten puts on the module and tfjs does not declare. */
interface EmscriptenModule {
  HEAPU8: Uint8Array<ArrayBuffer>;
  _malloc(bytes: number): number;
  _free(address: number): void;
  asm?: Record<string, unknown>;
  wasmMemory?: WebAssembly.Memory;
}

/** The Emscripten module of a backend, by its real type. */
export function emscripten(backend: BackendWasm): EmscriptenModule {
  return backend.wasm as unknown as EmscriptenModule;
}
