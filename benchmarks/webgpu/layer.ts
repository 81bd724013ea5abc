import * as tf from '@tensorflow/tfjs';
import {activation, layers} from '../../src/index';
import {finish, time, values} from './measure';
import type {Row, Shape} from './products';

/** Forward, and backward from the gradient of the output to the input and every weight. */
function training(forward: () => tf.Tensor, variables: tf.Tensor[], dy: tf.Tensor) {
  return () => tf.engine().gradients(forward, variables, dy);
}

async function row(
  what: string,
  [T, H, F, E]: Shape,
  run: () => unknown,
  passes: number,
  fresh: tf.Tensor[],
) {
  const ms = await time(run, fresh);
  return {what, shape: [T, H, F, E].join(' '), ms, tflops: (passes * 4 * T * H * F) / ms / 1e9};
}

export async function dmoeLayer(shape: Shape, label: string, config = {}): Promise<Row[]> {
  const [T, H, F, E] = shape;
  const x = tf.variable(values([T, H], 1));
  const dy = values([T, H], 2);
  const layer = layers.dMoE({
    ffnHiddenSize: F,
    moeNumExperts: E,
    bias: false,
    moeLossWeight: 0,
    initMethod: 'zeros',
    ...config,
  });
  layer.build([T, H]);
  layer.weights.forEach((weight, i) =>
    weight.write(values(weight.shape as number[], i + 3, 0.02) as tf.Tensor),
  );
  await finish();
  const rows = [
    await row(`${label} dMoE forward`, shape, () => layer.apply(x), 1, [x]),
    await row(
      `${label} dMoE forward and backward`,
      shape,
      training(
        () => layer.apply(x, {training: true}) as tf.Tensor,
        [x, ...layer.weights.map((weight) => weight.read())],
        dy,
      ),
      3,
      [x, dy],
    ),
  ];
  layer.weights.forEach((weight) => weight.dispose());
  tf.disposeVariables();
  tf.dispose(dy);
  return rows;
}

/** The dense feed-forward of the same FLOPs: as tfjs has it, or with the activation op of this library. */
export async function denseLayer(shape: Shape, label: string, fused: boolean): Promise<Row[]> {
  const [T, H, F] = shape;
  const x = tf.variable(values([T, H], 1));
  const dy = values([T, H], 2);
  const w1 = tf.variable(values([H, F], 3, 0.02)) as tf.Tensor2D;
  const w2 = tf.variable(values([F, H], 4, 0.02)) as tf.Tensor2D;
  const gelu = (z: tf.Tensor) =>
    fused
      ? activation(z, 'gelu_new')
      : tf.mul(
          tf.mul(z, 0.5),
          tf.add(
            1,
            tf.tanh(tf.mul(0.7978845608, tf.add(z, tf.mul(0.044715, tf.mul(z, tf.square(z)))))),
          ),
        );
  const forward = () => tf.matMul(gelu(tf.matMul(x as tf.Tensor2D, w1)) as tf.Tensor2D, w2);
  await finish();
  const rows = [
    await row(`${label} dense forward and backward`, shape, training(forward, [x, w1, w2], dy), 3, [
      x,
      dy,
    ]),
  ];
  tf.disposeVariables();
  tf.dispose(dy);
  return rows;
}
