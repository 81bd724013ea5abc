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

/** Hands the GPU all that was asked for. What was disposed of until then is free again. */
function submit() {
  const backend = gpu();
  backend.ensureCommandEncoderReady();
  backend.endComputePassEncoder();
  backend.submitQueue();
}

/** Waits until the GPU has done all that was asked for. */
export async function finish() {
  submit();
  await gpu().queue.onSubmittedWorkDone();
}

/**
 * The median time of a run in ms, warm.
 *
 * @param fresh Tensors that a step of training would make anew: half precision looks for their largest
 *     magnitudes in every run. Those of weights are known, since AdamW records them.
 */
export async function time(run: () => unknown, fresh: tf.Tensor[] = []): Promise<number> {
  const turn = async (runs: number) => {
    const begin = performance.now();
    for (let i = 0; i < runs; i++) {
      const {magnitudes} = deviceState(gpu().device);
      fresh.forEach((tensor) => magnitudes.forget(tensor));
      tf.tidy(() => void run());
      // As often as in a step of training, or results of a GB would lie side by side and be slow to reach.
      submit();
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

const DEVICE_TIMES = 40;

/**
 * The median time of a run in ms between timestamps of the GPU: of few small programs, which it runs faster
 * than the host records them.
 */
export async function deviceTime(run: () => unknown): Promise<number> {
  const backend = gpu();
  const {device} = backend;
  const querySet = device.createQuerySet({type: 'timestamp', count: 2});
  const [resolved, read] = [
    GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
  ].map((usage) => device.createBuffer({size: 16, usage}));
  const encoder = () => {
    backend.ensureCommandEncoderReady();
    backend.endComputePassEncoder();
    return internals(backend).commandEncoder;
  };
  const mark = (index: number) =>
    encoder()
      .beginComputePass({timestampWrites: {querySet, endOfPassWriteIndex: index}})
      .end();
  const once = async () => {
    mark(0);
    tf.tidy(() => void run());
    mark(1);
    encoder().resolveQuerySet(querySet, 0, 2, resolved, 0);
    encoder().copyBufferToBuffer(resolved, 0, read, 0, 16);
    backend.submitQueue();
    await read.mapAsync(GPUMapMode.READ);
    const [begin, end] = new BigUint64Array(read.getMappedRange().slice(0));
    read.unmap();
    return Number(end - begin) / 1e6;
  };
  await time(run);
  const times: number[] = [];
  for (let i = 0; i < DEVICE_TIMES; i++) {
    times.push(await once());
  }
  querySet.destroy();
  [resolved, read].forEach((buffer) => buffer.destroy());
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
