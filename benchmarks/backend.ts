import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs';
import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
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
  webgl: startWebGL,
  webgpu: startWebGPU,
};

export const BACKENDS = Object.keys(STARTERS);
/** Those that need a browser. */
export const BROWSER_BACKENDS = ['webgl'];

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

/** On whatever there is; what a run has drawn is done once a pixel drawn after it can be read. */
async function startWebGL(): Promise<StartedBackend> {
  await startTfjs('webgl');
  const {gl} = (tf.backend() as MathBackendWebGL).gpgpu;
  const framebuffer = gl.createFramebuffer();
  const texture = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, texture);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 1, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, null);
  const info = gl.getExtension('WEBGL_debug_renderer_info');
  return {
    gpu: gl.getParameter(info?.UNMASKED_RENDERER_WEBGL ?? gl.RENDERER) as string,
    synchronize: async () => {
      gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
      gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
      gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
    },
  };
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
