import {
  backend,
  type DataType,
  getBackend,
  type KernelBackend,
  type Tensor,
} from '@tensorflow/tfjs-core';

// WebGPU cannot be read synchronously. A check of a tensor there waits, and runs before its test ends.

type Values = Float32Array | Int32Array | Uint8Array;

const pending: (() => Promise<void>)[] = [];

/**
 * Calls `check` with the values of the tensors: at once where the backend can be read synchronously,
 * else at the end of the test. The tensors may be disposed before.
 */
export function withValues(tensors: Tensor[], check: (...values: Values[]) => void) {
  if (getBackend() !== 'webgpu') {
    check(...tensors.map((tensor) => tensor.dataSync<DataType>() as Values));
    return;
  }
  // The data is held and not a tensor, so that tests which count tensors count right.
  const gpu = backend() as KernelBackend;
  const held = tensors.map(({dataId}) => {
    gpu.incRef(dataId);
    return dataId;
  });
  pending.push(async () => {
    try {
      check(...(await Promise.all(held.map(async (id) => (await gpu.read(id)) as Values))));
    } finally {
      held.forEach((id) => gpu.disposeData(id));
    }
  });
}

/** Runs the checks that wait; every one, and throws what the first of them threw. */
export async function afterDeferredChecks() {
  const errors: unknown[] = [];
  for (const check of pending.splice(0)) {
    await check().catch((error: unknown) => errors.push(error));
  }
  if (errors.length > 0) {
    throw errors[0];
  }
}
