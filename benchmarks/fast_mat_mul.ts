import * as tf from '@tensorflow/tfjs';
import {useFastMatMul} from '../src/index';
import type {Run} from './harness';

/** The same with `useFastMatMul()`, whose kernels are taken back after each run. */
export function withFastMatMul(run: Run): Run {
  return async () => {
    const backend = tf.getBackend();
    const before = [tf.BatchMatMul, tf._FusedMatMul, tf.Identity, tf.Sum, tf.Transpose].map(
      (name) => tf.getKernel(name, backend),
    );
    useFastMatMul();
    try {
      return await run();
    } finally {
      for (const config of before) {
        tf.unregisterKernel(config.kernelName, backend);
        tf.registerKernel(config);
      }
    }
  };
}
