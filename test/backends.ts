import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs';
import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import '../src/index';
import {setupWebGPU} from '../src/webgpu';
import {afterDeferredChecks} from './deferred';
import {allowSoftware, boundsChecks, chosenBackends, webgpuPrecision} from './settings';

/** Every backend that the tests know; one that is missing is reported as skipped, with the reason. */
export const BACKENDS = ['cpu', 'wasm', 'tensorflow', 'webgpu', 'webgl'] as const;
export type BackendName = (typeof BACKENDS)[number];

/** tfjs' `MatMulProgramType.MatMulSmallOutputSizeProgram`. */
const SMALL_OUTPUT = 2;

/** Up to where a backend holds every int32; webgl has float32 textures for them, and refuses larger ones. */
export function maxInt(backendName: BackendName): number {
  return (backendName === 'webgl' ? 2 ** 24 : 2 ** 31) - 1;
}

/** Why a backend is missing here; undefined where it is not. `npm test` looks for what it needs. */
function missing(backendName: BackendName): string | undefined {
  const {
    MEGABLOCKS_TENSORFLOW: tensorflow = 'npm run setup:tensorflow brings it',
    MEGABLOCKS_WEBGPU: webgpu = 'npm test finds its driver',
    MEGABLOCKS_WEBGL: webgl = 'npm test finds a browser',
  } = process.env;
  const found: Partial<Record<BackendName, string>> = {tensorflow, webgpu, webgl};
  const reason = found[backendName] ?? 'found';
  return reason === 'found' ? undefined : reason;
}

/**
 * Declares the same tests once a backend; kernels that leak a tensor fail their test, and so do errors
 * that the GPU reports on the side.
 */
export function describeEachBackend(
  name: string,
  tests: (backendName: BackendName) => void,
  backends: readonly BackendName[] = BACKENDS,
) {
  for (const backendName of backends) {
    if (!chosenBackends().includes(backendName)) {
      continue;
    }
    const reason = missing(backendName);
    const title = `${name} on ${backendName}`;
    if (reason != null) {
      describe.skip(`${title} (${reason})`, () => tests(backendName));
      continue;
    }
    describe(title, () => {
      startBackend(backendName);
      tests(backendName);
    });
  }
}

function startBackend(backendName: BackendName) {
  const gpuErrors: string[] = [];
  let dispose: (() => void) | undefined;

  beforeAll(async () => {
    // Makes kernels that leak fail; but where tf.customGrad saves what its forward pass makes, as the
    // fused experts of webgpu do, tfjs takes that for a leak as well.
    tf.env().set('IS_TEST', backendName !== 'webgpu');
    if (backendName === 'webgpu') {
      const setup = await setupWebGPU({allowSoftware, boundsChecks, precision: webgpuPrecision});
      dispose = setup.dispose;
      if (setup.software) {
        // Of tfjs' own products, which many tests compare with, the one that compiles in a tenth of the time.
        tf.env().set('WEBGPU_MATMUL_PROGRAM_TYPE', SMALL_OUTPUT);
      }
      device().onuncapturederror = ({error}) => gpuErrors.push(error.message);
    } else {
      if (backendName === 'tensorflow') {
        await import('../src/tensorflow');
      }
      if (!(await tf.setBackend(backendName))) {
        throw new Error(`the ${backendName} backend did not start`);
      }
    }
    await tf.ready();
  });

  afterEach(async () => {
    await afterDeferredChecks();
    if (backendName === 'webgpu') {
      // Errors are reported once the GPU has come so far.
      await device().queue.onSubmittedWorkDone();
      const errors = gpuErrors.splice(0);
      if (errors.length > 0) {
        throw new Error(`the GPU reported: ${errors.join('\n')}`);
      }
    } else if (backendName === 'webgl') {
      const {gl} = (tf.backend() as MathBackendWebGL).gpgpu;
      const error = gl.getError();
      if (error !== gl.NO_ERROR) {
        throw new Error(`WebGL reported error ${error}`);
      }
    }
  });

  afterAll(() => dispose?.());
}

function device(): GPUDevice {
  return (tf.backend() as unknown as {device: GPUDevice}).device;
}

/** Runs `f` and fails if it leaves tensors behind that it does not return. */
export function expectNoLeak(f: () => void) {
  const before = {...tf.memory(), ids: tf.backend().numDataIds()};
  tf.tidy(() => void f());
  const after = tf.memory();
  expect(after.numTensors).toBe(before.numTensors);
  expect(after.numDataBuffers).toBe(before.numDataBuffers);
  expect(tf.backend().numDataIds()).toBe(before.ids);
}
