import * as tf from '@tensorflow/tfjs';
import {replicate} from '../src/index';
import {describeEachBackend, expectNoLeak} from './backends';
import {expectClose} from './close';
import {expectGradients} from './finite_differences';
import {random} from './random';
import {randomRouting} from './routing';

describeEachBackend('replicate', () => {
  // MegaBlocks' own sizes: tokens, bins, batch.
  const cases = [8, 16384].flatMap((tokens) =>
    [1, 2, 4, 16, 128].flatMap((bins) =>
      [1, 2, 8].map((batch): [number, number, number] => [tokens, bins, batch]),
    ),
  );

  test.each(cases)('%d positions in %d bins, %d rows', (tokens, numBins, batch) => {
    tf.tidy(() => {
      const {binIds, bins} = randomRouting({tokens, numExperts: numBins, topK: 1}, batch);
      const x = random(batch * numBins, tokens);
      const dy = random(batch * tokens, tokens);
      const y: number[] = [];
      const dx = new Float64Array(x.length);
      for (let row = 0; row < batch; row++) {
        binIds.forEach((bin, i) => {
          y.push(x[row * numBins + bin]);
          dx[row * numBins + bin] += dy[row * tokens + i];
        });
      }
      const ends = tf.tensor1d(bins, 'int32');
      const f = (t: tf.Tensor) => replicate(t as tf.Tensor2D, ends, tokens);
      const values = tf.tensor2d(x, [batch, numBins]);
      expectClose(f(values), y, {tolerance: 0, shape: [batch, tokens]});
      const grad = tf.grad(f)(values, tf.tensor2d(dy, [batch, tokens]));
      expectClose(grad, dx, {shape: [batch, numBins]});
    });
  });

  test('the gradient agrees with finite differences', () => {
    tf.tidy(() => {
      const bins = tf.tensor1d([2, 2, 5], 'int32');
      // Fewer outputs than the bins hold, as many, and more.
      for (const numOutputs of [4, 5, 7]) {
        const vector = tf.tensor1d([1, 2, 3]);
        expectGradients((t) => replicate(t as tf.Tensor1D, bins, numOutputs), [vector]);
        const batch = tf.tensor2d(random(6, 1), [2, 3]);
        expectGradients((t) => replicate(t as tf.Tensor2D, bins, numOutputs), [batch]);
      }
    });
  });

  test('the gradient of the gradient agrees with finite differences', () => {
    tf.tidy(() => {
      const bins = tf.tensor1d([2, 2, 5], 'int32');
      for (const numOutputs of [4, 5, 7]) {
        const squares = (t: tf.Tensor) => tf.square(replicate(t as tf.Tensor2D, bins, numOutputs));
        expectGradients(tf.grad(squares), [tf.tensor2d(random(6, 1), [2, 3])]);
      }
    });
  });

  test('refuses values that are neither floats nor integers', () => {
    tf.tidy(() => {
      const x = tf.tensor1d([true, false], 'bool');
      expect(() => replicate(x, tf.tensor1d([1, 3], 'int32'), 3)).toThrow(
        "replicate: the dtype of x must be one of 'float32', 'int32', got 'bool'",
      );
    });
  });

  test('leaves nothing behind', () => {
    tf.tidy(() => {
      const x = tf.tensor1d([1, 2]);
      const bins = tf.tensor1d([2, 3], 'int32');
      expectNoLeak(() => void replicate(x, bins, 4));
      expectNoLeak(() => void tf.grad((t) => replicate(t as tf.Tensor1D, bins, 4))(x));
    });
  });
});
