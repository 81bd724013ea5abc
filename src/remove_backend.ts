import {engine, type KernelBackend} from '@tensorflow/tfjs-core';

/** Removes a backend, and frees what is on it, unless it was removed before or another has its name. */
export function removeBackend(name: string, backend: KernelBackend) {
  if (engine().findBackend(name) === backend) {
    engine().removeBackend(name);
  }
}
