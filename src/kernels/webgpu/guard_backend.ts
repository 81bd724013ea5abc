import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {deviceState} from './device_state';

/**
 * Makes tfjs' own kernels on a backend throw, as those here do, where they would silently compute
 * nothing: on a device that is lost, and with a tensor that no buffer of it holds.
 */
export function guardBackend(backend: WebGPUBackend) {
  const state = deviceState(backend.device);
  const {read, uploadToGPU} = backend;

  // Every tensor that a program reads or writes passes here, before it has a buffer.
  backend.uploadToGPU = (dataId) => {
    state.assertAlive(BACKEND);
    state.assertFits(BACKEND, backend.tensorMap.get(dataId).shape);
    uploadToGPU.call(backend, dataId);
  };
  backend.read = async (dataId) => {
    try {
      return await read.call(backend, dataId);
    } catch (error) {
      // What Dawn throws of a lost device says nothing, and comes before the device tells of its loss.
      await new Promise((resolve) => setTimeout(resolve));
      state.assertAlive(BACKEND);
      throw error;
    }
  };
}

/** What messages name, since tfjs tells no kernel's name here. */
const BACKEND = 'webgpu';
