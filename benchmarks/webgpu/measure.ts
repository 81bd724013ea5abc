import * as tf from '@tensorflow/tfjs';
import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {deviceState} from '../../src/kernels/webgpu/device_state';
import {internals} from '../../src/kernels/webgpu/program';
import {median} from '../harness';

// A GPU runs behind: many runs are queued and waited for together, after it has come up to its clock.

const WARM_UP_MS = 300;
const TURN_MS = 40;
const TURNS = 5;

export function gpu(): WebGPUBackend {
  return tf.backend() as WebGPUBackend;
}

/** Waits until the GPU has done all that was asked for. */
export async function finish() {
  const backend = gpu();
  backend.ensureCommandEncoderReady();
  backend.endComputePassEncoder();
  backend.submitQueue();
  await backend.queue.onSubmittedWorkDone();
}

/** The median time of a run in ms, warm. Half precision looks for its magnitudes in every run anew. */
export async function time(run: () => unknown): Promise<number> {
  const turn = async (runs: number) => {
    const begin = performance.now();
    for (let i = 0; i < runs; i++) {
      deviceState(gpu().device).magnitudes.forget();
      tf.tidy(() => void run());
    }
    await finish();
    return (performance.now() - begin) / runs;
  };
  await turn(1);
  let [spent, last] = [0, 0];
  while (spent < WARM_UP_MS) {
    const runs = last === 0 ? 1 : Math.max(1, Math.min(100, Math.round(50 / last)));
    last = await turn(runs);
    spent += last * runs;
  }
  const runs = Math.max(1, Math.min(500, Math.round(TURN_MS / last)));
  const times: number[] = [];
  for (let i = 0; i < TURNS; i++) {
    times.push(await turn(runs));
  }
  return median(times);
}

let target: GPUBuffer | undefined;

/** Copies a tensor as the device itself copies buffers. */
export function copy(x: tf.Tensor) {
  const backend = gpu();
  const size = 4 * x.size;
  if (target?.size !== size) {
    target?.destroy();
    target = backend.device.createBuffer({size, usage: GPUBufferUsage.COPY_DST});
  }
  backend.uploadToGPU(x.dataId);
  backend.ensureCommandEncoderReady();
  backend.endComputePassEncoder();
  const {resource} = backend.tensorMap.get(x.dataId);
  internals(backend).commandEncoder.copyBufferToBuffer(resource as GPUBuffer, 0, target, 0, size);
}

/** Values that differ, without a host array of the whole size. */
export function values(shape: number[], seed: number, scale = 1): tf.Tensor {
  return tf.tidy(() => {
    const size = tf.util.sizeFromShape(shape);
    const chunk = Math.min(size, 1 << 20);
    const random = tf.randomNormal([chunk], 0, scale, 'float32', seed);
    const repeated = tf.tile(random, [Math.ceil(size / chunk)]);
    return tf.reshape(repeated.size === size ? repeated : tf.slice(repeated, 0, size), shape);
  });
}
