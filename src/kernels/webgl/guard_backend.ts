import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {assertAlive} from './context';

/**
 * Makes tfjs' own kernels on a backend throw, as those here do, where the context is lost: they would
 * silently compute nothing.
 */
export function guardBackend(backend: MathBackendWebGL) {
  const {gl} = backend.gpgpu;
  const {runWebGLProgram, read, readSync} = backend;
  backend.runWebGLProgram = (...args) => {
    assertAlive(BACKEND, gl);
    return runWebGLProgram.apply(backend, args);
  };
  backend.readSync = (dataId) => {
    assertAlive(BACKEND, gl);
    return readSync.call(backend, dataId);
  };
  backend.read = async (dataId) => {
    assertAlive(BACKEND, gl);
    try {
      return await read.call(backend, dataId);
    } finally {
      // What was read of a context that is lost by now is nothing.
      assertAlive(BACKEND, gl);
    }
  };
}

/** What messages name, since tfjs tells no kernel's name here. */
const BACKEND = 'webgl';
