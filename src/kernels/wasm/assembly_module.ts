import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {assert} from '../../asserts';
import {binary, sharedBinary} from './assembly/binary';
import {emscripten} from './wasm_util';

type Address = number;

/** What src/kernels/wasm/assembly/index.ts exports. */
export interface Assembly {
  activation(name: number, size: number, x: Address, out: Address): void;
  activationGrad(name: number, size: number, x: Address, dy: Address, out: Address): void;
  adamW(
    size: number,
    value: Address,
    gradient: Address,
    firstMoment: Address,
    secondMoment: Address,
    gradientScale: number,
    beta1: number,
    beta2: number,
    epsilon: number,
    stepSize: number,
    decay: number,
    secondMomentScale: number,
    newValue: Address,
    newFirstMoment: Address,
    newSecondMoment: Address,
  ): void;
  causalSoftmax(
    rows: number,
    stride: number,
    firstPosition: number,
    scale: number,
    scores: Address,
  ): void;
  causalSoftmaxGrad(
    rows: number,
    stride: number,
    firstPosition: number,
    scale: number,
    p: Address,
    dp: Address,
  ): void;
  dotRows(
    rows: number,
    terms: number,
    size: number,
    x: Address,
    sources: Address,
    numSources: number,
    y: Address,
    out: Address,
  ): void;
  gemmScratchBytes(): number;
  gemm(
    m: number,
    n: number,
    k: number,
    a: Address,
    aRowStride: number,
    aColumnStride: number,
    b: Address,
    bRowStride: number,
    bColumnStride: number,
    c: Address,
    cRowStride: number,
    accumulate: boolean,
    scratch: Address,
  ): void;
  layerNorm(
    rows: number,
    size: number,
    x: Address,
    gamma: Address,
    beta: Address,
    epsilon: number,
    out: Address,
    stats: Address,
  ): void;
  layerNormGrad(
    rows: number,
    size: number,
    x: Address,
    gamma: Address,
    dy: Address,
    epsilon: number,
    dx: Address,
    stats: Address,
  ): void;
  layerNormGammaGrad(
    rows: number,
    size: number,
    x: Address,
    dy: Address,
    epsilon: number,
    dgamma: Address,
    stats: Address,
  ): void;
  pullRows(
    rows: number,
    terms: number,
    size: number,
    x: Address,
    sources: Address,
    numSources: number,
    weights: Address,
    out: Address,
  ): void;
  pushAddRows(
    rows: number,
    size: number,
    x: Address,
    targets: Address,
    numTargets: number,
    out: Address,
  ): void;
  pushRows(
    rows: number,
    terms: number,
    size: number,
    x: Address,
    targets: Address,
    numTargets: number,
    weights: Address,
    out: Address,
  ): void;
  scaledExponentials(
    rows: number,
    size: number,
    x: Address,
    shifts: Address,
    factors: Address,
    out: Address,
  ): void;
  softmaxSums(rows: number, size: number, x: Address, sums: Address, largest: Address): void;
  sumOfSquares(size: number, x: Address): number;
  sortByDigit(
    size: number,
    shift: number,
    bits: number,
    keys: Address,
    indices: Address,
    toKeys: Address,
    toIndices: Address,
    counts: Address,
  ): void;
}

const assemblies = new WeakMap<BackendWasm, Assembly>();

/** The SIMD kernels on this backend's heap, compiled once a backend. */
export function assembly(backend: BackendWasm): Assembly {
  let found = assemblies.get(backend);
  if (found == null) {
    found = instantiate(heapOf(backend));
    assemblies.set(backend, found);
  }
  return found;
}

/** Calls `f` with `bytes` of the backend's heap that nobody else uses, and frees them. */
export function withScratch<T>(backend: BackendWasm, bytes: number, f: (scratch: Address) => T): T {
  const {_malloc: malloc, _free: free} = emscripten(backend);
  const scratch = malloc(bytes) >>> 0;
  assert(
    scratch !== 0,
    () => `wasm: the heap has no room for ${bytes} bytes of scratch; use a smaller batch`,
  );
  try {
    return f(scratch);
  } finally {
    free(scratch);
  }
}

/** Compiles the kernels against a heap, private or shared between threads. */
export function instantiate(memory: WebAssembly.Memory): Assembly {
  const shared =
    typeof SharedArrayBuffer !== 'undefined' && memory.buffer instanceof SharedArrayBuffer;
  const bytes = Uint8Array.from(atob(shared ? sharedBinary : binary), (c) => c.charCodeAt(0));
  const {exports} = new WebAssembly.Instance(new WebAssembly.Module(bytes), {env: {memory}});
  return exports as unknown as Assembly;
}

function heapOf(backend: BackendWasm): WebAssembly.Memory {
  // Emscripten keeps the memory among the exports, or on the module where threads share it.
  const {asm, wasmMemory} = emscripten(backend);
  const memory =
    wasmMemory ?? Object.values(asm ?? {}).find((value) => value instanceof WebAssembly.Memory);
  assert(memory != null, () => 'wasm: the memory of the wasm backend was not found');
  return memory as WebAssembly.Memory;
}
