import * as tf from '@tensorflow/tfjs';
import {layers} from '../src/index';
import type {MoEArguments} from '../layers/arguments';
import {expertCapacity} from '../layers/experts/binned';
import {describeEachBackend} from './backends';
import {expectClose} from './close';
import {withValues} from './deferred';

// What must hold of a MoE layer whatever its weights: reference properties and edge cases.

type Kind = 'dMoE' | 'moe';

const WAYS: {name: string; kind: Kind; config: MoEArguments}[] = [
  {name: 'dMoE, grouped', kind: 'dMoE', config: {mlpImpl: 'grouped'}},
  {name: 'dMoE, sparse', kind: 'dMoE', config: {mlpImpl: 'sparse', blockSize: 8}},
  {name: 'moe without a limit', kind: 'moe', config: {moeCapacityFactor: 0}},
];

const H = 8;
const BASE: MoEArguments = {
  ffnHiddenSize: 16,
  moeNumExperts: 4,
  moeTopK: 2,
  moeZlossWeight: 0.01,
  initMethod: tf.initializers.randomNormal({stddev: 0.5, seed: 5}),
};

function make(kind: Kind, config: MoEArguments) {
  const layer = kind === 'dMoE' ? layers.dMoE(config) : layers.moe(config);
  layer.build([null, H]);
  return layer;
}
type Layer = ReturnType<typeof make>;

const apply = (layer: Layer, x: tf.Tensor, training = false) =>
  layer.apply(x, {training}) as tf.Tensor;

const weight = (layer: Layer, name: string) =>
  layer.weights.find(({originalName}) => originalName.endsWith(name))!;

/** Uniform noise from -1 to 1, always the same. */
const noise = (shape: number[], seed = 1) => tf.randomUniform(shape, -1, 1, 'float32', seed);

/** The output, the input's gradient and every weight's, of a loss that weights all elements. */
function forwardAndBackward(layer: Layer, input: tf.Tensor): Record<string, tf.Tensor> {
  const x = tf.variable(input);
  const dy = noise(input.shape, 2);
  let y: tf.Tensor | undefined;
  const {value, grads} = tf.variableGrads(() => {
    y = tf.keep(apply(layer, x, true));
    return tf.addN([tf.sum(tf.mul(y, dy)), ...layer.calculateLosses()]) as tf.Scalar;
  });
  const named = layer.weights.map(({originalName, name}) => [originalName, grads[name]]);
  const results = {y: tf.clone(y!), value, dx: grads[x.name], ...Object.fromEntries(named)};
  tf.dispose([x, y!]);
  return results;
}

function expectSame(a: Record<string, tf.Tensor>, b: Record<string, tf.Tensor>) {
  expect(Object.keys(a)).toEqual(Object.keys(b));
  Object.keys(a).forEach((name) => expectClose(a[name], b[name], {tolerance: 1e-4, name}));
}

/** As `withValues`, with the rows of matrices of H columns. */
function withRows(tensors: tf.Tensor[], check: (...rows: number[][][]) => void) {
  withValues(tensors, (...values) =>
    check(
      ...values.map((x) =>
        Array.from({length: x.length / H}, (_, i) => Array.from(x.subarray(i * H, (i + 1) * H))),
      ),
    ),
  );
}

/** x [n, H] with one element replaced. */
function withElement(x: tf.Tensor, row: number, column: number, value: number): tf.Tensor {
  const at = tf.buffer(x.shape, 'bool');
  at.set(true, row, column);
  return tf.where(at.toTensor(), tf.fill(x.shape, value), x);
}

/** Runs the test in a tidy, and frees the layers made by it. */
function withLayers(f: (make: (kind: Kind, config: MoEArguments) => Layer) => void) {
  const made: Layer[] = [];
  tf.tidy(() =>
    f((kind, config) => {
      made.push(make(kind, config));
      return made[made.length - 1];
    }),
  );
  made.forEach((layer) => layer.weights.forEach((weight) => weight.dispose()));
}

test.each([
  [1, 12, 2, 4, 6],
  [1.25, 10, 1, 4, 3],
  // 3.5 * 122 / 7 is 61, but MegaBlocks divides first, and 122 / 7 is rounded down.
  [3.5, 122, 1, 7, 60],
  // None dropped: asked for, by truncation, and where every token has a place.
  [0, 12, 2, 4, 12],
  [0.1, 12, 1, 4, 12],
  [100, 12, 2, 4, 12],
])(
  'the capacity of factor %p, %p tokens, top %p of %p is %p',
  (factor, numTokens, topK, numExperts, capacity) => {
    expect(expertCapacity(factor, numTokens, topK, numExperts)).toBe(capacity);
  },
);

describeEachBackend('a MoE layer', () => {
  test.each(['mlp', 'glu'] as const)('is the same in every dropless way, %s', (mlpType) =>
    withLayers((make) => {
      // The initializer draws the same weights for every kind, in its own layout.
      const [dmoe, sparse, capacity] = WAYS.map(({kind, config}) =>
        make(kind, {...BASE, ...config, mlpType}),
      );
      const x = noise([11, H]);
      const wanted = forwardAndBackward(dmoe, x);
      expectSame(forwardAndBackward(sparse, x), wanted);
      const byExpert = (w: tf.Tensor) => tf.transpose(tf.reshape(w, [4, 16, H]), [0, 2, 1]);
      expectSame(forwardAndBackward(capacity, x), {
        ...wanted,
        'experts.mlp.w1': byExpert(wanted['experts.mlp.w1']),
        ...(mlpType === 'glu' && {'experts.mlp.v1': byExpert(wanted['experts.mlp.v1'])}),
        'experts.mlp.w2': tf.reshape(wanted['experts.mlp.w2'], [4, 16, H]),
      });
    }),
  );

  test('with the most capacity drops nothing', () =>
    withLayers((make) => {
      const x = noise([12, H]);
      const wanted = forwardAndBackward(make('moe', {...BASE, moeCapacityFactor: 0}), x);
      expectSame(forwardAndBackward(make('moe', {...BASE, moeCapacityFactor: 2}), x), wanted);
      expectSame(forwardAndBackward(make('moe', {...BASE, moeCapacityFactor: 100}), x), wanted);
    }));

  test('drops what comes last, which then receives only the bias', () =>
    withLayers((make) => {
      const layer = make('moe', {...BASE, moeTopK: 1, moeCapacityFactor: 1});
      weight(layer, 'experts.bias').write(tf.fill([H], 7));
      // All tokens are the same, so all eight go to one expert, which takes two.
      const x = tf.tile(noise([1, H]), [8, 1]);
      const {y, dx} = forwardAndBackward(layer, x);
      withRows([y, dx], (y, dx) => {
        expect(y[0]).toEqual(y[1]);
        expect(y[0]).not.toEqual(Array(H).fill(7));
        y.slice(2).forEach((row) => expect(row).toEqual(Array(H).fill(7)));
        expect(dx[0]).not.toEqual(dx[2]);
      });
    }));

  test('shows a token that is not finite where it is dropped, too', () =>
    withLayers((make) => {
      const config = {...BASE, moeNumExperts: 1, moeTopK: 1, moeCapacityFactor: 0.5};
      const x = withElement(noise([4, H]), 3, 2, NaN);
      withRows([apply(make('moe', config), x)], (y) =>
        expect(y.map((row) => row.map(Number.isNaN))).toEqual(
          [false, false, false, true].map((bad) => Array(H).fill(bad)),
        ),
      );
    }));

  describe.each(WAYS)('$name', ({kind, config}) => {
    test('treats every token alike, wherever it stands', () =>
      withLayers((make) => {
        const layer = make(kind, {...BASE, ...config});
        const x = noise([9, H]) as tf.Tensor2D;
        const order = [4, 8, 0, 2, 6, 1, 3, 7, 5];
        const moved = apply(layer, tf.gather(x, order));
        expectClose(moved, tf.gather(apply(layer, x), order), {tolerance: 1e-5});
      }));

    test('takes any number of leading axes', () =>
      withLayers((make) => {
        const layer = make(kind, {...BASE, ...config});
        const x = noise([12, H]);
        const y = apply(layer, x);
        for (const leading of [
          [12, 1],
          [3, 4],
          [2, 3, 2],
          [1, 12, 1, 1],
        ]) {
          const shape = [...leading, H];
          expectClose(apply(layer, tf.reshape(x, shape)), tf.reshape(y, shape), {tolerance: 1e-6});
          expect(layer.computeOutputShape(shape)).toEqual(shape);
        }
      }));

    test('takes a single token, and none at all', () =>
      withLayers((make) => {
        const layer = make(kind, {...BASE, ...config});
        const two = noise([2, H]);
        const first = tf.slice(two, [0, 0], [1, H]);
        expectClose(apply(layer, first, true), tf.slice(apply(layer, two), [0, 0], [1, H]));
        expect(layer.calculateLosses()).toHaveLength(2);
        expect(apply(layer, tf.zeros([0, H]), true).shape).toEqual([0, H]);
        withValues(layer.calculateLosses(), (...losses) =>
          losses.forEach((loss) => expect(loss).toEqual(Float32Array.of(0))),
        );
      }));

    test('gives experts without tokens a gradient of exactly zero', () =>
      withLayers((make) => {
        const layer = make(kind, {...BASE, ...config, moeTopK: 1});
        const x = tf.tile(noise([1, H]), [5, 1]);
        const grads = forwardAndBackward(layer, x);
        const perExpert = tf.sum(tf.abs(tf.reshape(grads['experts.mlp.w1'], [4, -1])), 1);
        withValues([perExpert, grads['experts.mlp.w2']], (sums, dw2) => {
          expect(Array.from(sums).filter((sum) => sum === 0)).toHaveLength(3);
          expect(dw2.every(Number.isFinite)).toBe(true);
        });
      }));

    test("makes the loss NaN where the router's input is not finite", () =>
      withLayers((make) => {
        for (const activationFn of ['gelu_new', 'relu']) {
          const layer = make(kind, {
            ...BASE,
            ...config,
            activationFn,
            moeLossWeight: 0,
            moeZlossWeight: 0,
          });
          for (const bad of [NaN, Infinity, -Infinity]) {
            const x = withElement(noise([6, H]), 3, 2, bad);
            withRows([apply(layer, x)], (y) =>
              y.forEach((row, token) =>
                row.forEach((value) => expect(Number.isNaN(value)).toBe(token === 3)),
              ),
            );
          }
        }
      }));

    test('normalizes the weights of each token, also of one expert', () =>
      withLayers((make) => {
        for (const moeTopK of [1, 2]) {
          for (const p of [1, 2, 3, 1000]) {
            const shared = {...BASE, ...config, moeTopK, bias: false};
            const plain = make(kind, shared);
            const normalized = make(kind, {...shared, moeNormalizeExpertWeights: p});
            const x = noise([7, H]) as tf.Tensor2D;
            const scores = tf.softmax(
              tf.matMul(x, weight(plain, 'router.layer.weight').read() as tf.Tensor2D, false, true),
            );
            const top = tf.topk(scores, moeTopK).values;
            // Of so large a p it is the largest, to float32; its powers are none.
            const norm =
              p === 1000 ? tf.max(top, 1, true) : tf.pow(tf.sum(tf.pow(top, p), 1, true), 1 / p);
            expectClose(apply(normalized, x), tf.div(apply(plain, x), norm), {tolerance: 1e-5});
          }
        }
      }));

    test('has a load-balancing loss of its weight where routing is uniform', () =>
      withLayers((make) => {
        const layer = make(kind, {
          ...BASE,
          ...config,
          moeLossWeight: 0.3,
          numLayers: 2,
          moeZlossWeight: 0,
        });
        // Experts are dealt out in turn, and scores are all the same.
        const uniform = make(kind, {
          ...BASE,
          ...config,
          moeLossWeight: 0.3,
          numLayers: 2,
          moeZlossWeight: 0,
          uniformExpertAssignment: true,
          initMethod: 'zeros',
        });
        const x = noise([10, H]);
        apply(layer, x, true);
        apply(uniform, x, true);
        const losses = [uniform, layer].map((of) => of.calculateLosses()[0]);
        withValues(losses, ([uniform], [skewed]) => {
          expect(uniform).toBeCloseTo(0.15, 6);
          expect(skewed).toBeGreaterThan(0.15);
        });
      }));

    test('jitters the router in training only, and anew each time', () =>
      withLayers((make) => {
        const jittery = {...BASE, ...config, moeTopK: 4, moeJitterEps: 0.5, seed: 4};
        const layer = make(kind, jittery);
        const x = noise([6, H]);
        const calm = apply(layer, x);
        const first = apply(layer, x, true);
        const second = apply(layer, x, true);
        withValues(
          [calm, apply(layer, x), first, second, apply(make(kind, jittery), x, true)],
          (calm, calmAgain, first, second, firstAgain) => {
            expect(calmAgain).toEqual(calm);
            expect(first).not.toEqual(calm);
            expect(second).not.toEqual(first);
            expect(firstAgain).toEqual(first);
          },
        );
        layers.clearLoadBalancingLoss(layer);
        layers.clearRouterZloss(layer);
      }));

    test('returns the bias instead of adding it', () =>
      withLayers((make) => {
        for (const extra of [
          {},
          {sharedExpert: true},
          {sharedExpert: true, sharedExpertWeightedSum: true},
        ]) {
          const shared = {...BASE, ...config, ...extra, seed: 2};
          const layer = make(kind, shared);
          const apart = make(kind, {...shared, returnBias: true});
          [layer, apart].forEach((l) => weight(l, 'experts.bias').write(noise([H], 3)));
          const x = noise([5, 2, H]);
          expect(apart.computeOutputShape([5, 2, H])).toEqual([[5, 2, H], [H]]);
          const [y, bias] = apart.apply(x) as tf.Tensor[];
          expect([y.shape, bias.shape]).toEqual([[5, 2, H], [H]]);
          expectClose(tf.add(y, bias), apply(layer, x), {tolerance: 1e-6});
        }
        const none = make(kind, {...BASE, ...config, bias: false, returnBias: true});
        expect(none.computeOutputShape([5, H])).toEqual([5, H]);
        expect(none.apply(noise([5, H]))).toBeInstanceOf(tf.Tensor);
      }));

    test('computes any function of its own, and its gradient', () =>
      withLayers((make) => {
        const x = noise([7, H]);
        const named = {...BASE, ...config, activationFn: 'silu'};
        const wanted = forwardAndBackward(make(kind, named), x);
        const activationFn = (x: tf.Tensor) => tf.mul(x, tf.sigmoid(x));
        for (const memoryOptimizedMlp of [false, true]) {
          tf.env().set('IS_TEST', !memoryOptimizedMlp);
          const layer = make(kind, {...named, activationFn, memoryOptimizedMlp});
          expectSame(forwardAndBackward(layer, x), wanted);
        }
        tf.env().set('IS_TEST', true);
      }));
  });

  test('of one seed is one model, and its weights are drawn apart', () =>
    withLayers((make) => {
      const config: MoEArguments = {
        ...BASE,
        initMethod: null,
        mlpType: 'glu',
        sharedExpert: true,
        seed: 0,
      };
      const [first, again, other] = [config, config, {...config, seed: 1}].map((config) =>
        make('dMoE', config).getWeights(),
      );
      const count = first.length;
      withValues([...first, ...again, ...other], (...values) => {
        const [first, again, other] = [0, 1, 2].map((i) =>
          values.slice(i * count, (i + 1) * count).map((w) => Array.from(w)),
        );
        expect(again).toEqual(first);
        expect(other).not.toEqual(first);
        const starts = first.filter((w) => w.some((value) => value !== 0)).map(([value]) => value);
        expect(new Set(starts).size).toBe(starts.length);
      });
      // Those of a linear layer are within 1 / sqrt(in).
      const up = weight(make('dMoE', config), 'up_proj.weight').read();
      withValues([tf.max(tf.abs(up))], ([largest]) =>
        expect(largest).toBeLessThanOrEqual(1 / Math.sqrt(H)),
      );
      const {mean, variance} = tf.moments(
        make('dMoE', {...config, ffnHiddenSize: 512}).getWeights()[1],
      );
      withValues([mean, variance], ([mean], [variance]) => {
        expect(Math.abs(mean)).toBeLessThan(1e-3);
        expect(Math.sqrt(variance)).toBeCloseTo(0.02, 3);
      });
    }));
});
