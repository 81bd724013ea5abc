import * as tf from '@tensorflow/tfjs';
import {
  activation as activate,
  gather,
  groupedMatMul,
  groupedMlp,
  histogram,
  inclusiveCumsum,
  scatter,
  sort,
} from '../src/index';
import {ACTIVATION_NAMES, type ActivationName, type Precision} from '../src/kernel_names';
import {describeEachBackend, expectNoLeak} from './backends';
import {expectClose} from './close';
import {random} from './random';

// The experts in one op against the ops that it says it is.

interface Sizes {
  name: string;
  T: number;
  K: number;
  E: number;
  H: number;
  F: number;
  /** Which expert takes copy i. */
  expert: (i: number) => number;
}

const spread = (E: number) => (i: number) => (i * 7 + (i >> 3)) % E;

const CASES: Sizes[] = [
  {name: 'top-1', T: 37, K: 1, E: 4, H: 8, F: 12, expert: spread(4)},
  {name: 'top-2', T: 21, K: 2, E: 5, H: 16, F: 8, expert: spread(5)},
  {name: 'top-3 with empty experts', T: 9, K: 3, E: 8, H: 4, F: 20, expert: (i) => (i % 3) * 3},
  {name: 'one expert', T: 5, K: 1, E: 1, H: 4, F: 4, expert: () => 0},
  {name: 'one token', T: 1, K: 1, E: 3, H: 4, F: 8, expert: () => 2},
  {name: 'several tiles', T: 150, K: 1, E: 2, H: 36, F: 132, expert: (i) => Number(i < 100)},
  {name: 'rows of one element', T: 13, K: 1, E: 2, H: 1, F: 1, expert: spread(2)},
  {name: 'sizes that are no multiples of 4', T: 11, K: 2, E: 3, H: 6, F: 7, expert: spread(3)},
];

function problem({T, K, E, H, F, expert}: Sizes, isGlu: boolean) {
  const experts = tf.tensor1d(
    Array.from({length: T * K}, (_, i) => expert(i)),
    'int32',
  );
  const [binIds, indices] = sort(experts);
  const bins = inclusiveCumsum(histogram(experts, E));
  const matrix = (seed: number) => tf.tensor3d(random(E * F * H, seed), [E, F, H]);
  return {
    routing: {indices, binIds, bins, topK: K},
    dy: tf.tensor2d(random(T * H, 6), [T, H]),
    inputs: [
      tf.tensor2d(random(T * H, 1), [T, H]),
      tf.tensor1d(random(T * K, 2)),
      matrix(3),
      matrix(4),
      ...(isGlu ? [matrix(5)] : []),
    ],
  };
}

type Routing = ReturnType<typeof problem>['routing'];
type Inputs = [tf.Tensor2D, tf.Tensor1D, tf.Tensor3D, tf.Tensor3D, tf.Tensor3D?];

const whole = (activation: ActivationName, routing: Routing, precision?: Precision) =>
  ((...[x, weights, w1, w2, v1]: Inputs) =>
    groupedMlp(x, {w1, v1, w2}, weights, routing, {activation, precision})) as (
    ...xs: tf.Tensor[]
  ) => tf.Tensor;

const inParts = (activation: ActivationName, {indices, binIds, bins, topK}: Routing) =>
  ((...[x, weights, w1, w2, v1]: Inputs) => {
    const rows = gather(x, indices, binIds, bins, topK);
    const up = (w: tf.Tensor3D) => groupedMatMul(rows, w, bins, {transposeB: true});
    const activated = activate(up(w1), activation) as tf.Tensor2D;
    const hidden = v1 == null ? activated : tf.mul<tf.Tensor2D>(activated, up(v1));
    return scatter(groupedMatMul(hidden, w2, bins), indices, binIds, weights, bins, topK);
  }) as (...xs: tf.Tensor[]) => tf.Tensor;

describeEachBackend('groupedMlp', () => {
  describe.each(CASES)('$name', (sizes) => {
    test.each([
      ['mlp', 'gelu_new'],
      ['glu', 'silu'],
    ] as const)('%s, %s', (mlpType, activation) => {
      tf.tidy(() => {
        const {routing, dy, inputs} = problem(sizes, mlpType === 'glu');
        const got = tf.valueAndGrads(whole(activation, routing))(inputs, dy);
        const wanted = tf.valueAndGrads(inParts(activation, routing))(inputs, dy);
        expectClose(got.value, wanted.value, {name: 'y'});
        ['x', 'expertWeights', 'w1', 'w2', 'v1'].slice(0, inputs.length).forEach((name, i) => {
          expectClose(got.grads[i], wanted.grads[i], {name: `the gradient of ${name}`});
        });
      });
    });
  });

  test.each(ACTIVATION_NAMES)('%s', (activation) => {
    tf.tidy(() => {
      const {routing, dy, inputs} = problem(CASES[1], true);
      const got = tf.valueAndGrads(whole(activation, routing))(inputs, dy);
      const wanted = tf.valueAndGrads(inParts(activation, routing))(inputs, dy);
      expectClose(got.value, wanted.value);
      got.grads.forEach((grad, i) => expectClose(grad, wanted.grads[i]));
    });
  });

  // As bfloat16 and half precision round, where the backend has them; by sizes that matrix units take.
  test.each([
    {T: 200, K: 1, E: 3, H: 64, F: 256, expert: spread(3)},
    {T: 75, K: 2, E: 6, H: 136, F: 72, expert: (i: number) => (i % 4) + 1},
  ])('in half precision, $T tokens', (sizes) => {
    tf.tidy(() => {
      const {routing, dy, inputs} = problem({name: '', ...sizes}, false);
      const got = tf.valueAndGrads(whole('gelu_new', routing, 'float16'))(inputs, dy);
      const wanted = tf.valueAndGrads(inParts('gelu_new', routing))(inputs, dy);
      expectClose(got.value, wanted.value, {tolerance: 0.02, name: 'y'});
      ['x', 'expertWeights', 'w1', 'w2'].forEach((name, i) => {
        const options = {tolerance: 0.02, name: `the gradient of ${name}`};
        expectClose(got.grads[i], wanted.grads[i], options);
      });
    });
  });

  test('leaves nothing behind', () => {
    tf.tidy(() => {
      const {routing, dy, inputs} = problem(CASES[1], true);
      expectNoLeak(() => void tf.valueAndGrads(whole('gelu', routing))(inputs, dy));
    });
  });

  test('no tokens', () => {
    tf.tidy(() => {
      const {routing, dy, inputs} = problem({...CASES[0], T: 0}, false);
      const {value, grads} = tf.valueAndGrads(whole('gelu', routing))(inputs, dy);
      expect(value.shape).toEqual([0, 8]);
      expectClose(grads[2], new Float32Array(4 * 12 * 8));
    });
  });
});

test('refuses what does not fit', async () => {
  await tf.setBackend('cpu');
  tf.tidy(() => {
    const {routing, inputs} = problem(CASES[0], true);
    const [x, weights, w1, w2, v1] = inputs as unknown as Required<Inputs>;
    const run = (changed: {
      x?: tf.Tensor2D;
      weights?: tf.Tensor1D;
      w2?: tf.Tensor3D;
      v1?: tf.Tensor3D;
      routing?: Partial<Routing>;
      activation?: ActivationName;
    }) =>
      groupedMlp(
        changed.x ?? x,
        {w1, v1: changed.v1 ?? v1, w2: changed.w2 ?? w2},
        changed.weights ?? weights,
        {...routing, ...changed.routing},
        {activation: changed.activation},
      );
    const short = tf.zeros<tf.Rank.R3>([4, 11, 8]);
    expect(() => run({x: tf.zeros([37, 9])})).toThrow(
      'groupedMlp: w1 must have shape [*,*,9], got [4,12,8]',
    );
    expect(() => run({w2: short})).toThrow('groupedMlp: w2 must have shape [4,12,8], got [4,11,8]');
    expect(() => run({v1: short})).toThrow('groupedMlp: v1 must have shape [4,12,8], got [4,11,8]');
    expect(() => run({weights: tf.zeros([3])})).toThrow(
      'groupedMlp: expertWeights must have shape [37], got [3]',
    );
    expect(() => run({routing: {topK: 2}})).toThrow(
      'groupedMlp: expertWeights must have shape [74], got [37]',
    );
    expect(() => run({routing: {bins: tf.tensor1d([1, 2], 'int32')}})).toThrow(
      'groupedMlp: bins must have one entry an expert, 4, got 2',
    );
    expect(() => run({activation: 'tanh' as ActivationName})).toThrow(
      "groupedMlp: activation must be one of 'gelu_new', 'gelu', 'silu', 'relu', got 'tanh'",
    );
  });
});
