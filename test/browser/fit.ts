import * as tf from '@tensorflow/tfjs';
import {layers} from '../../src/index';
import {describeEachBackend} from '../backends';
import {random} from '../random';

// What model.fit gives in a page, beside what it gives on cpu in the same page.

const [SAMPLES, H] = [32, 8];

async function losses(backendName: string, mlpImpl: 'grouped' | 'sparse'): Promise<number[]> {
  const before = tf.getBackend();
  await tf.setBackend(backendName);
  try {
    const model = tf.sequential({
      layers: [
        layers.dMoE({
          inputShape: [H],
          ffnHiddenSize: 16,
          moeNumExperts: 4,
          moeTopK: 2,
          moeZlossWeight: 0.01,
          seed: 1,
          mlpImpl,
          blockSize: 8,
        }),
        tf.layers.dense({units: 1, kernelInitializer: tf.initializers.glorotUniform({seed: 9})}),
      ],
    });
    // Without an epsilon tfjs has one for each backend, 1e-4 on webgl.
    const optimizer = tf.train.adam(0.02, 0.9, 0.999, 1e-7);
    model.compile({optimizer, loss: 'meanSquaredError'});
    const x = tf.tensor2d(random(SAMPLES * H, 1), [SAMPLES, H]);
    const y = tf.tidy(() => tf.sin(tf.mul(3, tf.sum(x, 1, true))));
    const {history} = await model.fit(x, y, {
      epochs: 8,
      batchSize: 16,
      shuffle: false,
      verbose: 0,
    });
    tf.dispose([x, y]);
    model.dispose();
    optimizer.dispose();
    return history.loss as number[];
  } finally {
    await tf.setBackend(before);
  }
}

describeEachBackend('fit of a dMoE', (backendName) => {
  beforeAll(() => tf.env().set('IS_TEST', false));

  test.each(['grouped', 'sparse'] as const)('gives the losses of cpu, %s', async (mlpImpl) => {
    const wanted = await losses('cpu', mlpImpl);
    const got = await losses(backendName, mlpImpl);
    expect(wanted).toHaveLength(8);
    expect(wanted[7]).toBeLessThan(wanted[0]);
    got.forEach((loss, i) => {
      const error = Math.abs(loss - wanted[i]) / wanted[i];
      expect({epoch: i, loss, wanted: wanted[i], near: error < 1e-3}).toMatchObject({near: true});
    });
  });
});
