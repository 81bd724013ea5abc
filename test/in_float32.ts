import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs';
import {deviceState} from '../src/kernels/webgpu/device_state';

/** Runs `f` with products in float32, also where the tests run in half precision. */
export function inFloat32<T>(f: () => T): T {
  if (tf.getBackend() !== 'webgpu') {
    return f();
  }
  const state = deviceState((tf.backend() as WebGPUBackend).device);
  const {precision} = state;
  state.precision = 'float32';
  try {
    return f();
  } finally {
    state.precision = precision;
  }
}
