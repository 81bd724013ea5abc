import * as tf from '@tensorflow/tfjs';
import {expectClose} from './close';
import {inFloat32} from './in_float32';

/**
 * Fails unless the gradients of `f` agree with central differences. The output is weighted with
 * fixed numbers and summed, so that no error in one element hides behind another.
 */
export function expectGradients(
  f: (...xs: tf.Tensor[]) => tf.Tensor,
  xs: tf.Tensor[],
  {step = 1e-2, tolerance = 2e-3}: {step?: number; tolerance?: number} = {},
) {
  tf.tidy(() => {
    const {shape, size} = f(...xs);
    const dy = tf.tensor(
      Array.from({length: size}, (_, i) => Math.sin(i + 1)),
      shape,
    );
    // Of nothing, tf.sum makes something on wasm and throws on webgpu.
    const loss = (...inputs: tf.Tensor[]) =>
      size === 0 ? tf.scalar(0) : tf.sum(tf.mul(f(...inputs), dy));
    tf.grads(f)(xs, dy).forEach((grad, which) => {
      const x = xs[which];
      // Nothing is read back here, since not every backend can do that at once.
      const lossesAt = (delta: number) =>
        Array.from({length: x.size}, (_, i) =>
          tf.tidy(() => {
            const deltas = Array.from({length: x.size}, (_, j) => (j === i ? delta : 0));
            const moved = tf.add(x, tf.tensor(deltas, x.shape));
            return loss(...xs.map((other, j) => (j === which ? moved : other)));
          }),
        );
      // What rounding to halves adds to a loss is more than what a step adds.
      const rise = inFloat32(() => tf.sub(tf.stack(lossesAt(step)), tf.stack(lossesAt(-step))));
      const differences = tf.reshape(tf.div(rise, 2 * step), x.shape);
      expectClose(grad, differences, {
        tolerance,
        shape: x.shape,
        name: `the gradient of input ${which}`,
      });
    });
  });
}
