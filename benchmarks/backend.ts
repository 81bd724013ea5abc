import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs';
import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import type {Precision} from '../src/kernel_names';
import {setupWebGPU} from '../src/webgpu';
import type {Synchronize} from './harness';

export interface StartedBackend {
  /** What computes, if not the CPU. */
  gpu?: string;
  /** How to wait for it, if it computes after a run has returned. */
  synchronize?: Synchronize;
  /** Ends what would keep the process alive. */
  dispose?: () => void;
}

const STARTERS: Record<string, (precision: Precision) => Promise<StartedBackend>> = {
  cpu: () => startTfjs('cpu'),
  tensorflow: async () => {
    await import('../src/tensorflow');
    return startTfjs('tensorflow');
  },
  wasm: () => startTfjs('wasm'),
  webgpu: startWebGPU,
};

export const BACKENDS = Object.keys(STARTERS);

/** Starts one of BACKENDS, with tfjs' own products: the benchmarks choose theirs. */
export function startBackend(name: string, precision: Precision): Promise<StartedBackend> {
  return STARTERS[name](precision);
}

async function startTfjs(name: string): Promise<StartedBackend> {
  if (!(await tf.setBackend(name))) {
    throw new Error(`the ${name} backend did not start`);
  }
  return {};
}

/** On whatever there is, even a GPU in software: the report says which. */
async function startWebGPU(precision: Precision): Promise<StartedBackend> {
  const {adapter, dispose, ...setup} = await setupWebGPU({precision, allowSoftware: true});
  if (setup.precision !== precision) {
    dispose();
    throw new Error(`${adapter} has no products in ${precision}`);
  }
  const synchronize = async () => {
    const backend = tf.backend() as WebGPUBackend;
    backend.ensureCommandEncoderReady();
    backend.endComputePassEncoder();
    backend.submitQueue();
    await backend.queue.onSubmittedWorkDone();
  };
  return {gpu: `${adapter}, products in ${precision}`, synchronize, dispose};
}
