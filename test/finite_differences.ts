import * as tf from '@tensorflow/tfjs';
import {expectClose} from './close';

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
    const loss = (...inputs: tf.Tensor[]) => tf.sum(tf.mul(f(...inputs), dy)).dataSync()[0];
    tf.grads(f)(xs, dy).forEach((grad, which) => {
      const x = xs[which].dataSync().slice();
      const differences = Array.from(x, (_, i) => {
        const [above, below] = [step, -step].map((delta) =>
          tf.tidy(() => {
            const moved = tf.tensor(
              x.map((value, j) => (j === i ? value + delta : value)),
              xs[which].shape,
            );
            return loss(...xs.map((other, j) => (j === which ? moved : other)));
          }),
        );
        return (above - below) / (2 * step);
      });
      expectClose(grad, differences, {
        tolerance,
        shape: xs[which].shape,
        name: `the gradient of input ${which}`,
      });
    });
  });
}
