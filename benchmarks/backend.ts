import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs';
import type {Synchronize} from './harness';

export const BACKENDS = ['cpu', 'wasm'];

/**
 * Starts one of BACKENDS, with tfjs' own products: the benchmarks choose theirs.
 *
 * @returns How to wait for it, if it computes after a run has returned; cpu and wasm do not.
 */
export async function startBackend(name: string): Promise<Synchronize | undefined> {
  if (!(await tf.setBackend(name))) {
    throw new Error(`the ${name} backend did not start`);
  }
  return undefined;
}
