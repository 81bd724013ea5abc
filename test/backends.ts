import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs';
import '../src/index';

/** Every backend that the tests know; one that is missing is reported as skipped, with the reason. */
export const BACKENDS = ['cpu', 'wasm'] as const;
export type BackendName = (typeof BACKENDS)[number];

/** Declares the same tests once a backend; kernels that leak a tensor fail their test. */
export function describeEachBackend(name: string, tests: (backendName: BackendName) => void) {
  describe.each(BACKENDS)(`${name} on %s`, (backendName) => {
    beforeAll(async () => {
      tf.env().set('IS_TEST', true);
      if (!(await tf.setBackend(backendName))) {
        throw new Error(`the ${backendName} backend did not start`);
      }
      await tf.ready();
    });
    tests(backendName);
  });
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
