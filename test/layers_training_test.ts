import * as tf from '@tensorflow/tfjs';
import {layers, RouterStats} from '../src/index';
import type {MoEArguments} from '../layers/arguments';
import {describeEachBackend} from './backends';
import {expectClose} from './close';

// MoE layers in tf.layers' models: fit, evaluate, predict, save and load.

const H = 8;
const CONFIG: MoEArguments = {
  ffnHiddenSize: 16,
  moeNumExperts: 4,
  moeTopK: 2,
  moeZlossWeight: 0.01,
  seed: 1,
};

const KINDS = {
  dMoE: (config: MoEArguments = {}) => layers.dMoE({...CONFIG, ...config}),
  'dMoE, sparse': (config: MoEArguments = {}) =>
    layers.dMoE({...CONFIG, mlpImpl: 'sparse', blockSize: 8, ...config}),
  moe: (config: MoEArguments = {}) => layers.moe({...CONFIG, moeCapacityFactor: 1.25, ...config}),
};

const noise = (shape: number[], seed = 1) => tf.randomUniform(shape, -1, 1, 'float32', seed);

const dense = (units = 1, seed = 9) =>
  tf.layers.dense({units, kernelInitializer: tf.initializers.glorotUniform({seed})});

/** Inputs and targets of a problem that can be learnt. */
function problem(numSamples = 32) {
  const x = noise([numSamples, H]);
  const y = tf.tidy(() => tf.sin(tf.mul(3, tf.sum(x, 1, true))));
  return {x, y};
}

/** How models are put together around a MoE layer. */
const MODELS: Record<string, (layer: tf.layers.Layer) => tf.LayersModel> = {
  'in a sequential model': (layer) => {
    const model = tf.sequential();
    model.add(tf.layers.dense({units: H, inputShape: [H]}));
    model.add(layer);
    model.add(dense());
    return model;
  },
  'as the first layer of a sequential model': (layer) => {
    layer.batchInputShape = [null, H];
    return tf.sequential({layers: [layer, dense()]});
  },
  'in a functional model': (layer) => {
    const input = tf.input({shape: [H]});
    const hidden = layer.apply(input) as tf.SymbolicTensor;
    const sum = tf.layers.add().apply([input, hidden]) as tf.SymbolicTensor;
    return tf.model({inputs: input, outputs: dense().apply(sum) as tf.SymbolicTensor});
  },
  'in a model within a model': (layer) => {
    const inner = tf.input({shape: [H]});
    const block = tf.model({inputs: inner, outputs: layer.apply(inner) as tf.SymbolicTensor});
    const input = tf.input({shape: [H]});
    const hidden = block.apply(input) as tf.SymbolicTensor;
    return tf.model({inputs: input, outputs: dense().apply(hidden) as tf.SymbolicTensor});
  },
  'in a sequential model within a sequential model': (layer) => {
    layer.batchInputShape = [null, H];
    const block = tf.sequential({layers: [layer]});
    return tf.sequential({layers: [tf.layers.dense({units: H, inputShape: [H]}), block, dense()]});
  },
  'twice in one model': (layer) => {
    const input = tf.input({shape: [H]});
    const once = layer.apply(input) as tf.SymbolicTensor;
    const twice = layer.apply(once) as tf.SymbolicTensor;
    return tf.model({inputs: input, outputs: dense().apply(twice) as tf.SymbolicTensor});
  },
};

/** Fails if what runs in between leaves tensors behind. */
async function withoutLeaks(f: () => Promise<void>) {
  const before = {...tf.memory(), ids: tf.backend().numDataIds()};
  await f();
  const after = tf.memory();
  expect({
    numTensors: after.numTensors,
    numDataBuffers: after.numDataBuffers,
    ids: tf.backend().numDataIds(),
  }).toEqual({
    numTensors: before.numTensors,
    numDataBuffers: before.numDataBuffers,
    ids: before.ids,
  });
}

/** The values of scalars, which are disposed. */
async function valuesOf(scalars: tf.Tensor[]): Promise<number[]> {
  const values = await Promise.all(scalars.map((scalar) => scalar.data()));
  tf.dispose(scalars);
  return values.map(([value]) => value);
}

async function saveToMemory(model: tf.LayersModel): Promise<tf.io.ModelArtifacts> {
  let saved: tf.io.ModelArtifacts | undefined;
  await model.save(
    tf.io.withSaveHandler(async (artifacts) => {
      saved = artifacts;
      return {modelArtifactsInfo: {dateSaved: new Date(0), modelTopologyType: 'JSON'}};
    }),
  );
  // As from a file: what JSON keeps.
  return {...saved!, modelTopology: JSON.parse(JSON.stringify(saved!.modelTopology)) as object};
}

const load = (artifacts: tf.io.ModelArtifacts) => tf.loadLayersModel(tf.io.fromMemory(artifacts));

describeEachBackend('a MoE layer', () => {
  // Leaks are counted by the tests themselves: on wasm tfjs takes what its own dense layer saves for
  // the backward pass for a leak.
  beforeAll(() => tf.env().set('IS_TEST', false));

  describe.each(Object.entries(KINDS))('%s', (_, make) => {
    test.each(Object.entries(MODELS))('trains %s, leaving nothing behind', async (_, build) => {
      const {x, y} = problem();
      const layer = make();
      const model = build(layer);
      const optimizer = tf.train.adam(0.02);
      model.compile({optimizer, loss: 'meanSquaredError'});
      const fit = (epochs: number) =>
        model.fit(x, y, {epochs, batchSize: 16, verbose: 0, shuffle: false});
      const {history} = await fit(1);
      await withoutLeaks(async () => {
        const {history: later} = await fit(3);
        expect(later.loss[2]).toBeLessThan(history.loss[0] as number);
      });
      // What evaluation gives is the loss alone; training adds the layer's own.
      expect(await valuesOf(layer.calculateLosses())).toEqual([0, 0]);
      tf.dispose([x, y]);
      model.dispose();
      optimizer.dispose();
    });

    test('adds its losses in training alone', async () => {
      const {x, y} = problem(8);
      const layer = make();
      const model = MODELS['in a model within a model'](layer);
      model.compile({optimizer: tf.train.sgd(0), loss: 'meanSquaredError'});
      await withoutLeaks(async () => {
        const evaluate = async () => (await valuesOf([model.evaluate(x, y) as tf.Scalar]))[0];
        const loss = await evaluate();
        const {history} = await model.fit(x, y, {epochs: 1, verbose: 0, shuffle: false});
        const own = await valuesOf(
          tf.tidy(() => {
            layer.apply(x, {training: true});
            return layer.calculateLosses();
          }),
        );
        expect(own.every((value) => value > 0)).toBe(true);
        expect(history.loss[0]).toBeCloseTo(loss + own[0] + own[1], 5);
        expect(await evaluate()).toBe(loss);
        tf.dispose(model.predict(x));
        const zeros = [layers.batchedLoadBalancingLoss(model), layers.batchedRouterZloss(model)];
        expect(await valuesOf(zeros)).toEqual([0, 0]);
      });
      tf.dispose([x, y]);
      model.dispose();
    });

    test('is the same after saving and loading', async () => {
      const {x} = problem(6);
      const model = MODELS['in a functional model'](
        make({
          mlpType: 'glu',
          sharedExpert: true,
          moeNormalizeExpertWeights: 1,
          initMethod: tf.initializers.randomNormal({stddev: 0.3, seed: 6}),
          activationFn: 'gelu_new',
        }),
      );
      const loaded = await load(await saveToMemory(model));
      tf.tidy(() =>
        expectClose(loaded.predict(x) as tf.Tensor, model.predict(x) as tf.Tensor, {tolerance: 0}),
      );
      const config = (m: tf.LayersModel) => m.layers[1].getConfig();
      expect(config(loaded).initMethod).toEqual(config(model).initMethod);
      // And set by hand.
      const copy = MODELS['in a functional model'](
        make({mlpType: 'glu', sharedExpert: true, moeNormalizeExpertWeights: 1}),
      );
      copy.setWeights(model.getWeights());
      tf.tidy(() =>
        expectClose(copy.predict(x) as tf.Tensor, model.predict(x) as tf.Tensor, {tolerance: 0}),
      );
      [model, loaded, copy].forEach((m) => m.dispose());
      x.dispose();
    });

    test('of one seed gives one run', async () => {
      const {x, y} = problem(16);
      const run = async () => {
        const model = tf.sequential({
          layers: [make({moeJitterEps: 0.1, inputShape: [H]}), dense()],
        });
        model.compile({optimizer: 'sgd', loss: 'meanSquaredError'});
        const {history} = await model.fit(x, y, {
          epochs: 3,
          batchSize: 8,
          verbose: 0,
          shuffle: false,
        });
        model.dispose();
        return history.loss;
      };
      expect(await run()).toEqual(await run());
      tf.dispose([x, y]);
    });
  });

  test('trains with fitDataset', async () => {
    const model = tf.sequential({layers: [KINDS.dMoE({inputShape: [H]}), dense()]});
    const optimizer = tf.train.adam(0.02);
    model.compile({optimizer, loss: 'meanSquaredError'});
    const data = tf.data.generator(function* () {
      for (let i = 0; i < 4; i++) {
        const {x, y} = problem(8);
        yield {xs: x, ys: y};
      }
    });
    const {history} = await model.fitDataset(data, {epochs: 4, verbose: 0});
    expect(history.loss[3]).toBeLessThan(history.loss[0] as number);
    model.dispose();
    optimizer.dispose();
  });

  test('forgets a pass that failed', async () => {
    const {x, y} = problem(4);
    const layer = KINDS.dMoE({inputShape: [H]});
    const model = tf.sequential({layers: [layer, dense()]});
    let fails = true;
    const loss = (a: tf.Tensor, b: tf.Tensor) => {
      if (fails) {
        throw new Error('no loss today');
      }
      return tf.losses.meanSquaredError(a, b);
    };
    model.compile({optimizer: tf.train.sgd(0), loss});
    const fit = () => model.fit(x, y, {epochs: 1, verbose: 0});
    await expect(fit()).rejects.toThrow('no loss today');
    await expect(fit()).rejects.toThrow('no loss today');
    expect(layer.loadBalancingLosses.peek()).toHaveLength(1);
    fails = false;
    await fit();
    expect(layer.loadBalancingLosses.peek()).toHaveLength(0);
    model.dispose();
    tf.dispose([x, y]);
  });

  test('keeps the losses of its last call alone outside of a gradient', async () => {
    const [x, other] = [noise([4, H]), noise([4, H], 2)];
    const layer = KINDS.dMoE();
    layer.build([null, H]);
    const call = (input: tf.Tensor) => tf.tidy(() => void layer.apply(input, {training: true}));
    const losses = () =>
      valuesOf([layers.batchedLoadBalancingLoss(layer), layers.batchedRouterZloss(layer)]);
    const {numTensors} = tf.memory();
    call(other);
    const wanted = await losses();
    for (let i = 0; i < 5; i++) {
      call(x);
    }
    expect(await losses()).not.toEqual(wanted);
    call(other);
    expect(await losses()).toEqual(wanted);
    // One of each kind waits.
    expect(tf.memory().numTensors).toBe(numTensors + 2);
    layers.clearLoadBalancingLoss(layer);
    layers.clearRouterZloss(layer);
    expect(tf.memory().numTensors).toBe(numTensors);
    layer.weights.forEach((weight) => weight.dispose());
    tf.dispose([x, other]);
  });

  test('flattens a skewed router', async () => {
    // All tokens share a large feature, by which the router sends them all to expert 0.
    const x = tf.tidy(() => tf.concat([tf.fill([64, 1], 2), noise([64, H - 1])], 1));
    const y = tf.zeros([64, H]);
    const layer = KINDS.dMoE({inputShape: [H], moeTopK: 1, moeLossWeight: 1, moeZlossWeight: 0});
    const model = tf.sequential({layers: [layer]});
    const router = layer.weights.find(({originalName}) =>
      originalName.endsWith('router.layer.weight'),
    )!;
    tf.tidy(() => {
      const skew = tf.buffer([4, H]);
      skew.set(1, 0, 0);
      router.write(tf.add(noise([4, H], 3), skew.toTensor()));
    });
    model.compile({optimizer: tf.train.adam(0.05), loss: 'meanSquaredError'});
    const stats = new RouterStats();
    await model.fit(x, y, {epochs: 40, batchSize: 64, verbose: 0, callbacks: [stats]});
    const first = stats.history[0];
    const last = stats.history[stats.history.length - 1];
    expect(first.maxTokens).toBeGreaterThan(40);
    expect(last.maxTokens).toBeLessThan(32);
    expect(last.stdTokens).toBeLessThan(first.stdTokens / 2);
    expect(last.loadBalancingLoss).toBeLessThan(first.loadBalancingLoss);
    model.dispose();
    tf.dispose([x, y]);
  });

  test('returns its bias as a second output of a model', async () => {
    const input = tf.input({shape: [3, H]});
    const [y, bias] = KINDS.dMoE({returnBias: true}).apply(input) as tf.SymbolicTensor[];
    expect([y.shape, bias.shape]).toEqual([[null, 3, H], [H]]);
    const model = tf.model({inputs: input, outputs: [y, bias]});
    const loaded = await load(await saveToMemory(model));
    tf.tidy(() => {
      const x = noise([2, 3, H]);
      const wanted = model.predictOnBatch(x) as tf.Tensor[];
      (loaded.predictOnBatch(x) as tf.Tensor[]).forEach((output, i) =>
        expectClose(output, wanted[i], {tolerance: 0}),
      );
    });
    [model, loaded].forEach((m) => m.dispose());
  });

  test("is in the summary under MegaBlocks' names", () => {
    const model = tf.sequential({
      layers: [
        KINDS.dMoE({name: 'mixture', inputShape: [H], mlpType: 'glu', sharedExpert: true}),
        dense(),
      ],
    });
    const lines: string[] = [];
    model.summary(undefined, undefined, (line: string) => lines.push(line));
    const experts = 4 * H + 3 * 4 * 16 * H + H;
    const shared = 3 * 16 * H + 2 * 16 + H;
    expect(lines.join('\n')).toMatch(
      new RegExp(`mixture \\(dMoE\\).*\\[null,8\\].*${experts + shared}`),
    );
    expect(model.weights.map(({originalName, shape}) => [originalName, shape])).toEqual([
      ['mixture/router.layer.weight', [4, H]],
      ['mixture/experts.mlp.w1', [64, H]],
      ['mixture/experts.mlp.v1', [64, H]],
      ['mixture/experts.mlp.w2', [64, H]],
      ['mixture/experts.bias', [H]],
      ['mixture/shared_expert.up_proj.weight', [16, H]],
      ['mixture/shared_expert.up_proj.bias', [16]],
      ['mixture/shared_expert.gate_proj.weight', [16, H]],
      ['mixture/shared_expert.gate_proj.bias', [16]],
      ['mixture/shared_expert.down_proj.weight', [H, 16]],
      ['mixture/shared_expert.down_proj.bias', [H]],
      ...model.layers[1].weights.map(({originalName, shape}) => [originalName, shape]),
    ]);
    model.dispose();
  });

  test('is named by the error of a model that is loaded without it', async () => {
    const model = tf.sequential({layers: [KINDS.dMoE({inputShape: [H]})]});
    const artifacts = await saveToMemory(model);
    const topology = JSON.stringify(artifacts.modelTopology).replaceAll('"dMoE"', '"dMoEOfLater"');
    await expect(
      load({...artifacts, modelTopology: JSON.parse(topology) as object}),
    ).rejects.toThrow(/Unknown layer: dMoEOfLater.*registerClass/s);
    model.dispose();
  });

  test('saves an activation that was given a name', async () => {
    layers.registerActivation('squaredRelu', (x) => tf.square(tf.relu(x)));
    const model = tf.sequential({
      layers: [KINDS.dMoE({activationFn: 'squaredRelu', inputShape: [H]})],
    });
    const loaded = await load(await saveToMemory(model));
    tf.tidy(() => {
      const x = noise([4, H]);
      expectClose(loaded.predict(x) as tf.Tensor, model.predict(x) as tf.Tensor, {tolerance: 0});
    });
    const unnamed = tf.sequential({
      layers: [KINDS.dMoE({activationFn: (x) => x, inputShape: [H]})],
    });
    await expect(saveToMemory(unnamed)).rejects.toThrow('give it one with registerActivation');
    [model, loaded, unnamed].forEach((m) => m.dispose());
  });

  test("gives its losses to those who port MegaBlocks' training loop", async () => {
    const model = tf.sequential({
      layers: [KINDS.dMoE({inputShape: [H]}), dense()],
    });
    const {x, y} = problem(8);
    const {numTensors} = tf.memory();
    const results = tf.tidy(() => {
      let balancing: tf.Tensor | undefined;
      const {value, grads} = tf.variableGrads(() => {
        const loss = tf.losses.meanSquaredError(y, model.apply(x, {training: true}) as tf.Tensor);
        const zloss = layers.batchedRouterZloss([model]);
        balancing = tf.keep(layers.batchedLoadBalancingLoss(model));
        return tf.addN([loss as tf.Scalar, balancing, zloss]) as tf.Scalar;
      });
      return [balancing!, value, tf.max(tf.abs(grads[model.weights[0].name]))];
    });
    const [balancing, value, largest] = await valuesOf(results);
    expect(balancing).toBeGreaterThan(0);
    expect(Number.isFinite(value)).toBe(true);
    expect(largest).toBeGreaterThan(0);
    layers.clearLoadBalancingLoss(model);
    layers.clearRouterZloss(model);
    expect(tf.memory().numTensors).toBe(numTensors);
    model.dispose();
    tf.dispose([x, y]);
  });
});

// On webgpu tfjs does not transpose the mask for the LSTM.
describeEachBackend(
  'a MoE layer between others',
  () => {
    test('passes a mask on', async () => {
      const input = tf.input({shape: [5]});
      const embedding = tf.layers.embedding({inputDim: 7, outputDim: H, maskZero: true});
      const mixed = KINDS.dMoE().apply(embedding.apply(input)) as tf.SymbolicTensor;
      const last = tf.layers.lstm({units: 2, recurrentInitializer: 'glorotUniform'}).apply(mixed);
      const model = tf.model({inputs: input, outputs: last as tf.SymbolicTensor});
      const ids = tf.tensor2d([[1, 2, 3, 0, 0]]);
      /** What the model says of the ids where one of them is embedded otherwise than before. */
      const predict = async (id: number) => {
        tf.tidy(() => {
          const moved = tf.reshape(tf.oneHot(tf.tensor1d([id], 'int32'), 7), [7, 1]);
          embedding.setWeights([tf.add(noise([7, H], 3), tf.cast(moved, 'float32'))]);
        });
        const y = model.predict(ids) as tf.Tensor;
        expect(y.shape).toEqual([1, 2]);
        const values = await y.data();
        y.dispose();
        return values;
      };
      // Id 6 is not among them, 0 is masked, and 3 is neither.
      const wanted = await predict(6);
      expect(await predict(0)).toEqual(wanted);
      expect(await predict(3)).not.toEqual(wanted);
      model.dispose();
      ids.dispose();
    });
  },
  ['cpu', 'wasm'],
);
