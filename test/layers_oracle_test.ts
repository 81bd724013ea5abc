import * as tf from '@tensorflow/tfjs';
import {layers, stopGradient} from '../src/index';
import type {MoEArguments} from '../layers/arguments';
import {describeEachBackend} from './backends';
import {expectClose} from './close';
import {random} from './random';

// MoE layers against what their definition says, written plainly with TensorFlow.js' own ops.

type Weights = Record<string, tf.Tensor>;
type Layer = ReturnType<typeof layers.dMoE> | ReturnType<typeof layers.moe>;
type Activation = (x: tf.Tensor) => tf.Tensor;

const noise = (shape: number[], seed: number) =>
  tf.tensor(
    random(
      shape.reduce((a, b) => a * b, 1),
      seed,
    ),
    shape,
  );

/** The exact form, through the error function. */
const gelu: Activation = (x) => tf.mul(tf.mul(0.5, x), tf.add(1, tf.erf(tf.mul(x, Math.SQRT1_2))));

/** The tanh form. */
const geluNew: Activation = (x) => {
  const inner = tf.add(x, tf.mul(0.044715, tf.mul(x, tf.square(x))));
  return tf.mul(tf.mul(0.5, x), tf.add(1, tf.tanh(tf.mul(Math.sqrt(2 / Math.PI), inner))));
};

/** One expert: w1, v1 and w2 are [F, H]. */
function denseExpert(x: tf.Tensor2D, {w1, v1, w2}: Weights, activation: Activation): tf.Tensor2D {
  const up = (w: tf.Tensor) => tf.matMul(x, w as tf.Tensor2D, false, true);
  const hidden = activation(up(w1));
  return tf.matMul(v1 == null ? hidden : tf.mul(hidden, up(v1)), w2 as tf.Tensor2D) as tf.Tensor2D;
}

/** The weights of a layer by the last part of their names: w1, v1, w2, weight (the router's), bias. */
function weightsByName(layer: Layer): Record<string, tf.LayerVariable> {
  return Object.fromEntries(
    layer.weights.map((weight) => [weight.originalName.split('.').at(-1)!, weight]),
  );
}

function make(kind: 'dMoE' | 'moe', hiddenSize: number, config: MoEArguments): Layer {
  const layer = kind === 'dMoE' ? layers.dMoE(config) : layers.moe(config);
  layer.build([null, hiddenSize]);
  return layer;
}

const DMOE_WAYS: MoEArguments[] = [{mlpImpl: 'grouped'}, {mlpImpl: 'sparse', blockSize: 8}];
const WAYS: {name: string; kind: 'dMoE' | 'moe'; config: MoEArguments}[] = [
  ...DMOE_WAYS.map((config) => ({name: `${config.mlpImpl} dMoE`, kind: 'dMoE' as const, config})),
  {name: 'moe', kind: 'moe', config: {moeCapacityFactor: 0}},
];

describeEachBackend('a MoE layer', () => {
  // On wasm tfjs takes what tf.customGrad saves for a leak.
  beforeAll(() => tf.env().set('IS_TEST', false));

  describe.each(
    WAYS.flatMap((way) =>
      (['mlp', 'glu'] as const).flatMap((mlpType) =>
        [false, true].map((memoryOptimizedMlp) => ({...way, mlpType, memoryOptimizedMlp})),
      ),
    ),
  )('of one expert, $name, $mlpType, memoryOptimizedMlp $memoryOptimizedMlp', (way) => {
    test('is a dense layer, and so are its gradients', () => {
      const [T, H, F] = [6, 8, 16];
      const {kind, config, mlpType, memoryOptimizedMlp} = way;
      const layer = make(kind, H, {
        ...config,
        mlpType,
        memoryOptimizedMlp,
        ffnHiddenSize: F,
        initMethod: tf.initializers.randomNormal({stddev: 0.5, seed: 5}),
        moeLossWeight: 0,
      });
      const weights = weightsByName(layer);
      tf.tidy(() => {
        weights.bias.write(noise([H], 3));
        const names = mlpType === 'glu' ? ['w1', 'v1', 'w2'] : ['w1', 'w2'];
        const x = tf.variable(noise([T, H], 1));
        const dy = noise([T, H], 2);
        const result: Weights = {};
        const {grads} = tf.variableGrads(() => {
          result.y = tf.keep(layer.apply(x, {training: true}) as tf.Tensor);
          return tf.sum(tf.mul(result.y, dy));
        });

        // The dense layer has w1 and v1 as [F, H], in either layout of the experts.
        const upIsTransposed = kind === 'moe';
        const dense = (name: string, w: tf.Tensor) =>
          upIsTransposed && name !== 'w2'
            ? tf.transpose(tf.reshape(w, [H, F]))
            : tf.reshape(w, [F, H]);
        const inputs = names.map((name) => dense(name, weights[name].read()));
        const f = (x: tf.Tensor, bias: tf.Tensor, ...ws: tf.Tensor[]) => {
          const byName = Object.fromEntries(names.map((name, i) => [name, ws[i]]));
          return tf.add(denseExpert(x as tf.Tensor2D, byName, geluNew), bias);
        };
        const wanted = tf.valueAndGrads(f)([x, weights.bias.read(), ...inputs], dy);
        const [dx, dbias, ...dws] = wanted.grads;
        const tolerance = 2e-5;
        expectClose(result.y, wanted.value, {tolerance, name: 'y'});
        expectClose(grads[x.name], dx, {tolerance, name: 'dx'});
        expectClose(grads[weights.bias.name], dbias, {tolerance, name: 'the gradient of bias'});
        names.forEach((name, i) =>
          expectClose(dense(name, grads[weights[name].name]), dws[i], {
            tolerance,
            name: `the gradient of ${name}`,
          }),
        );
        // One expert has every token, whatever the router's weight is.
        expectClose(grads[weights.weight.name], tf.zeros([1, H]), {tolerance: 0});
        tf.dispose([x, result]);
      });
      layer.weights.forEach((weight) => weight.dispose());
    });
  });

  // llm-foundry's test of a dMoE, at a tenth of its size.
  const [T, H, F] = [24, 24, 48];

  /** Router and experts, one after the other, each over all tokens and weighted by its share. */
  function loopOverExperts(
    x: tf.Tensor2D,
    {weight, bias, ...experts}: Weights,
    topK: number,
  ): tf.Tensor {
    const numExperts = weight.shape[0];
    const scores = tf.softmax(tf.matMul(x, weight as tf.Tensor2D, false, true));
    const constant = stopGradient(scores);
    const lowest = tf.min(tf.topk(constant, topK).values, -1, true);
    const kept = tf.mul(scores, tf.cast(tf.greaterEqual(constant, lowest), 'float32'));
    const shares = tf.div(kept, tf.sum(kept, -1, true));
    const ofExpert = (w: tf.Tensor, e: number) => tf.slice(w, [e * F, 0], [F, H]);
    const outputs = Array.from({length: numExperts}, (_, e) => {
      const own = Object.entries(experts).map(([name, w]) => [name, ofExpert(w, e)]);
      const y = denseExpert(x, Object.fromEntries(own) as Weights, gelu);
      return tf.mul(y, tf.slice(shares, [0, e], [T, 1]));
    });
    return tf.add(tf.addN(outputs), bias);
  }

  describe.each(DMOE_WAYS)('$mlpImpl', (way) => {
    test.each([
      [1, 'mlp'],
      [1, 'glu'],
      [8, 'mlp'],
      [8, 'glu'],
    ] as const)(
      'of %p experts, %s, is a loop over experts, also after a step',
      async (experts, mlpType) => {
        const topK = Math.min(2, experts);
        const layer = make('dMoE', H, {
          ...way,
          mlpType,
          ffnHiddenSize: F,
          moeNumExperts: experts,
          moeTopK: topK,
          moeNormalizeExpertWeights: 1,
          activationFn: 'gelu',
          initMethod: tf.initializers.randomNormal({stddev: 0.2, seed: 5}),
          moeLossWeight: 0,
        });
        const weights = weightsByName(layer);
        const optimizer = tf.train.sgd(0.1);
        const moved = tf.tidy(() => {
          const copies: Record<string, tf.Variable> = {};
          for (const [name, weight] of Object.entries(weights)) {
            copies[name] = tf.variable(weight.read());
          }
          const x = noise([T, H], 1) as tf.Tensor2D;
          const target = noise([T, H], 2);
          const ofLayer = () => layer.apply(x, {training: true}) as tf.Tensor;
          const ofLoop = () => loopOverExperts(x, copies, topK);
          const step = (f: () => tf.Tensor) =>
            optimizer.minimize(
              () => tf.mul(tf.sum(tf.squaredDifference(f(), target)), 1 / T) as tf.Scalar,
              true,
            )!;
          const tolerance = 2e-5;
          expectClose(ofLayer(), ofLoop(), {tolerance, name: 'y'});
          const before = tf.clone(copies.w1);
          expectClose(step(ofLayer), step(ofLoop), {tolerance, name: 'the loss'});
          for (const [name, weight] of Object.entries(weights)) {
            expectClose(weight.read(), copies[name], {tolerance, name});
          }
          expectClose(ofLayer(), ofLoop(), {tolerance, name: 'y after the step'});
          const moved = tf.max(tf.abs(tf.sub(copies.w1, before)));
          tf.dispose(copies);
          return moved;
        });
        expect((await moved.data())[0]).toBeGreaterThan(1e-3);
        moved.dispose();
        layer.weights.forEach((weight) => weight.dispose());
        optimizer.dispose();
      },
    );
  });
});
