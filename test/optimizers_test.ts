import * as tf from '@tensorflow/tfjs';
import {AdafactorOptimizer} from '../training/optimizers/adafactor';
import {AdamWOptimizer} from '../training/optimizers/adamw';
import {globalNorm} from '../ops/global_norm';
import type {
  TrainingOptimizer,
  TrainingOptimizerConfig,
} from '../training/optimizers/training_optimizer';
import adafactorGolden from './goldens/adafactor.json';
import {describeEachBackend, expectNoLeak} from './backends';
import {expectClose} from './close';
import {mixtralTiny} from './mixtral_tiny';
import {random} from './random';

const OPTIMIZERS: [string, (config: TrainingOptimizerConfig) => TrainingOptimizer][] = [
  ['AdamW', (config) => new AdamWOptimizer(config)],
  ['Adafactor', (config) => new AdafactorOptimizer({beta1: 0.5, ...config})],
];

let names = 0;
const parameter = (values: tf.Tensor, name = 'kernel') =>
  tf.variable(values, true, `optimized_${++names}/${name}`);

/** One update by given gradients. */
function update(optimizer: tf.Optimizer, gradients: [tf.Variable, tf.TensorLike][]) {
  tf.tidy(() =>
    optimizer.applyGradients(
      gradients.map(([{name}, values]) => ({name, tensor: tf.tensor(values)})),
    ),
  );
}

describeEachBackend('every optimizer', () => {
  // What tfjs' own fused matMul saves for its gradient counts as a leak of its kernel on wasm.
  beforeAll(() => tf.env().set('IS_TEST', false));

  function compiled(optimizer: tf.Optimizer) {
    const dense = (units: number, seed: number, inputShape?: number[]) =>
      tf.layers.dense({units, inputShape, kernelInitializer: tf.initializers.randomNormal({seed})});
    const model = tf.sequential({layers: [dense(4, 1, [3]), dense(1, 2)]});
    model.compile({optimizer, loss: 'meanSquaredError'});
    return model;
  }
  const x = () => tf.tensor2d(random(24, 1), [8, 3]);
  const y = () => tf.tensor2d(random(8, 2), [8, 1]);
  const fit = async (model: tf.LayersModel, batchSize = 8, epochs = 5) =>
    (await model.fit(x(), y(), {epochs, batchSize, shuffle: false, verbose: 0})).history
      .loss as number[];

  describe.each(OPTIMIZERS)('%s', (_, create) => {
    test("leaves the large batch's weights after micro-batches", async () => {
      const config = {learningRate: 0.01, weightDecay: 0.1, clipNorm: 0.5};
      const whole = compiled(create(config));
      const parts = compiled(create({...config, accumulationSteps: 4}));
      await fit(whole, 8);
      await fit(parts, 2);
      expect(parts.optimizer.iterations).toBe(5);
      parts
        .getWeights()
        .forEach((weight, i) => expectClose(weight, whole.getWeights()[i], {tolerance: 1e-5}));
    });

    test('takes the very same steps once restored, within an update too', async () => {
      const config: TrainingOptimizerConfig = {
        learningRate: {decayStyle: 'linear', maxLearningRate: 0.1, warmupSteps: 3, decaySteps: 20},
        weightDecay: 0.1,
        clipNorm: 0.5,
        accumulationSteps: 3,
      };
      const whole = compiled(create(config));
      await fit(whole, 2); // 20 micro-batches: 6 updates, and 2 of the next.
      const other = compiled(create(config));
      other.setWeights(whole.getWeights());
      await other.optimizer.setWeights(await whole.optimizer.getWeights());
      expect(await fit(other, 2)).toEqual(await fit(whole, 2));
    });

    test('skips an update once restored within it, where a loss before was not finite', async () => {
      const value = parameter(tf.ones([2, 2]));
      const config = {learningRate: 0.1, accumulationSteps: 2};
      const loss = (offset: number) => () => tf.add<tf.Scalar>(tf.sum(value), offset);
      const whole = create(config);
      whole.minimize(loss(NaN), false, [value]); // Of a gradient that is finite.
      const other = create(config);
      const state = await whole.getWeights();
      await other.setWeights(state);
      for (const optimizer of [whole, other]) {
        optimizer.minimize(loss(0), false, [value]);
        expect(await optimizer.settleUpdate()).toBeNaN();
        expectClose(value, [1, 1, 1, 1]);
        optimizer.dispose();
      }
    });

    test('is saved with its state and its schedule', async () => {
      const config: TrainingOptimizerConfig = {
        learningRate: {decayStyle: 'inverse-square-root', maxLearningRate: 0.1, warmupSteps: 3},
        weightDecay: 0.1,
        decayRule: 'all',
        clipNorm: 0.5,
      };
      const model = compiled(create(config));
      await fit(model);
      let saved: tf.io.ModelArtifacts;
      const keep = tf.io.withSaveHandler(async (artifacts) => {
        saved = artifacts;
        return {modelArtifactsInfo: {dateSaved: new Date(), modelTopologyType: 'JSON'}};
      });
      await model.save(keep, {includeOptimizer: true});
      const loaded = await tf.loadLayersModel(tf.io.fromMemory(saved!));
      expect(loaded.optimizer.getConfig()).toEqual(model.optimizer.getConfig());
      expect((loaded.optimizer as TrainingOptimizer).learningRate).toBeCloseTo(
        0.1 * Math.sqrt(3 / 6),
        6,
      );
      expect(await fit(loaded)).toEqual(await fit(model));
    });

    test('changes nothing where a gradient is not finite, and counts no update', async () => {
      const [a, b] = [parameter(tf.ones([2, 2])), parameter(tf.ones([3]))];
      const optimizer = create({learningRate: 0.1, weightDecay: 0.1, clipNorm: 1});
      update(optimizer, [
        [
          a,
          [
            [1, 2],
            [3, 4],
          ],
        ],
        [b, [1, 0, 1]],
      ]);
      expect(await optimizer.settleUpdate()).toBeCloseTo(Math.sqrt(32), 4);
      const before = [a, b].map((variable) => variable.clone());
      const state = (await optimizer.getWeights()).slice(1).map(({tensor}) => tensor.clone());
      for (const wrong of [NaN, Infinity, -Infinity]) {
        update(optimizer, [
          [
            a,
            [
              [1, 2],
              [wrong, 4],
            ],
          ],
          [b, [1, 0, 1]],
        ]);
        expect(Number.isFinite(await optimizer.settleUpdate())).toBe(false);
      }
      expect(optimizer.iterations).toBe(1);
      [a, b].forEach((variable, i) => expectClose(variable, before[i], {tolerance: 0}));
      (await optimizer.getWeights())
        .slice(1)
        .forEach(({tensor}, i) => expectClose(tensor, state[i], {tolerance: 0}));
      update(optimizer, [
        [
          a,
          [
            [1, 2],
            [3, 4],
          ],
        ],
        [b, [1, 0, 1]],
      ]);
      expect(await optimizer.settleUpdate()).toBeCloseTo(Math.sqrt(32), 4);
      expect(optimizer.iterations).toBe(2);
    });

    test('clips by the norm of all gradients together', () => {
      const values = () => [parameter(tf.ones([2])), parameter(tf.ones([2, 2]))] as const;
      const [limited, scaled] = [values(), values()];
      const gradients = (scale: number): [number[], number[][]] => [
        [0, 3 * scale],
        [
          [0, 0],
          [4 * scale, 0],
        ],
      ];
      const apply = (optimizer: tf.Optimizer, [a, b]: typeof limited, scale: number) =>
        update(optimizer, [
          [a, gradients(scale)[0]],
          [b, gradients(scale)[1]],
        ]);
      apply(create({learningRate: 0.1, clipNorm: 1}), limited, 1);
      apply(create({learningRate: 0.1}), scaled, 1 / 5);
      limited.forEach((variable, i) => expectClose(variable, scaled[i], {tolerance: 1e-6}));
    });

    test('decays matrices alone by its rule, or all', () => {
      for (const [decayRule, kept] of [
        [undefined, 1],
        ['all', 0.95],
      ] as const) {
        const kernel = parameter(tf.ones([2, 2]), 'experts.mlp.w1');
        const others = [
          parameter(tf.ones([2])),
          parameter(tf.ones([2, 2]), 'expert_bias'),
          parameter(tf.ones([2, 2]), 'token_embedding/weights'),
          parameter(tf.ones([1, 2]), 'gamma_1'),
        ];
        const optimizer = create({learningRate: 0.1, weightDecay: 0.5, decayRule});
        const all = [kernel, ...others];
        update(
          optimizer,
          all.map((variable) => [variable, tf.zeros(variable.shape).arraySync() as tf.TensorLike]),
        );
        expectClose(kernel, [0.95, 0.95, 0.95, 0.95], {tolerance: 1e-6});
        others.forEach((x) =>
          expectClose(x, new Array(x.size).fill(x.name.includes('bias') && kept === 1 ? 1 : kept), {
            tolerance: 1e-6,
          }),
        );
        tf.dispose(all);
      }
    });

    test('leaves nothing behind but its state', async () => {
      const value = parameter(tf.ones([2, 2]));
      const before = tf.memory().numTensors;
      const optimizer = create({learningRate: 0.1, clipNorm: 1, accumulationSteps: 2});
      const step = () =>
        update(optimizer, [
          [
            value,
            [
              [1, 2],
              [3, 4],
            ],
          ],
        ]);
      step();
      step();
      await optimizer.settleUpdate();
      const after = tf.memory().numTensors;
      for (let i = 0; i < 4; i++) {
        step();
      }
      await optimizer.settleUpdate();
      expect(tf.memory().numTensors).toBe(after);
      optimizer.dispose();
      expect(tf.memory().numTensors).toBe(before);
    });

    test('refuses bad options', () => {
      const wrong = (change: object) => () => create({learningRate: 0.1, ...change});
      expect(wrong({learningRate: -1})).toThrow(
        'Optimizer: learningRate must be a number of at least 0, got -1',
      );
      expect(wrong({learningRate: {decayStyle: 'cosine', maxLearningRate: 1}})).toThrow(
        'Optimizer: decaySteps must be an integer of at least 1, got undefined',
      );
      expect(wrong({weightDecay: NaN})).toThrow(
        'Optimizer: weightDecay must be a number of at least 0, got NaN',
      );
      expect(wrong({clipNorm: -1})).toThrow(
        'Optimizer: clipNorm must be a number of at least 0, got -1',
      );
      expect(wrong({accumulationSteps: 0})).toThrow(
        'Optimizer: accumulationSteps must be an integer of at least 1, got 0',
      );
      expect(wrong({decayRule: 'none'})).toThrow(
        "Optimizer: decayRule must be one of 'matrices', 'all', got 'none'",
      );
      expect(wrong({beta1: 1})).toThrow('Optimizer: beta1 must be a number from 0 to');
    });

    test('refuses the state of another model', async () => {
      const optimizer = create({learningRate: 0.1});
      update(optimizer, [[parameter(tf.ones([2])), [1, 2]]]);
      const other = create({learningRate: 0.1});
      await other.setWeights(await optimizer.getWeights());
      expect(() => update(other, [[parameter(tf.ones([3])), [1, 2, 3]]])).toThrow(
        /the state 0\/\w+ must have shape \[3\], got \[2\]/,
      );
    });
  });

  test('AdamW without decay is tf.train.adam', async () => {
    const losses = await Promise.all(
      [new AdamWOptimizer({learningRate: 0.01}), tf.train.adam(0.01, 0.9, 0.999, 1e-8)].map(
        (optimizer) => fit(compiled(optimizer), 8, 20),
      ),
    );
    expectClose(tf.tensor1d(losses[0]), losses[1], {tolerance: 1e-5});
  });

  test('Adafactor gives what optax gives', () => {
    const {shapes, values, gradients, updated} = adafactorGolden;
    const names = ['matrix', 'vector'] as const;
    const parameters = names.map((name) => parameter(tf.tensor(values[name], shapes[name])));
    const optimizer = new AdafactorOptimizer({learningRate: 0.03});
    gradients.forEach((gradient, step) => {
      tf.tidy(() =>
        optimizer.applyGradients(
          names.map((name, i) => ({
            name: parameters[i].name,
            tensor: tf.tensor(gradient[name], shapes[name]),
          })),
        ),
      );
      parameters.forEach((value, i) =>
        expectClose(value.clone(), updated[step][names[i]], {tolerance: 1e-5}),
      );
    });
  });

  test('globalNorm is exact to float32 over long tensors', () => {
    // The second and the fourth are folded, a prime length among them, and the third has rows of one.
    const tensors = [[3, 5], [70000], [40000, 1], [5, 1031], [2, 3, 700]].map((shape, i) =>
      tf.tensor(random(tf.util.sizeFromShape(shape), i), shape),
    );
    let squares = 0;
    tensors.forEach(({size}, i) => random(size, i).forEach((value) => (squares += value * value)));
    expectClose(globalNorm(tensors), [Math.sqrt(squares)], {tolerance: 1e-6});
    expectClose(globalNorm([]), [0]);
    expectClose(globalNorm([tf.zeros([0]), tf.tensor1d([3, 4]), tf.zeros([2, 0])]), [5]);
    expectClose(globalNorm([tf.zeros([0])]), [0]);
    expect(() => globalNorm([tf.ones([2]), tf.ones([2], 'int32')])).toThrow(
      'globalNorm: tensors must be float32, got int32',
    );
    expectNoLeak(() => globalNorm(tensors));
  });
});

describeEachBackend(
  'AdamW and clipping',
  () => {
    beforeAll(() => tf.env().set('IS_TEST', false));

    // Products on the cpu, or on a GPU in software, take a minute.
    test("give the losses of PyTorch's ten steps on a Mixtral", () => {
      const model = mixtralTiny();
      const optimizer = new AdamWOptimizer({
        learningRate: 1e-3,
        beta2: 0.95,
        weightDecay: 0.1,
        decayRule: 'all',
        clipNorm: 1,
      });
      const losses = Array.from(model.losses, () => {
        const loss = optimizer.minimize(model.loss, true, model.variables)!;
        const [value] = loss.dataSync();
        loss.dispose();
        return value;
      });
      expectClose(tf.tensor1d(losses), model.losses, {tolerance: 1e-5});
      model.dispose();
      optimizer.dispose();
    });
  },
  ['wasm'],
);
