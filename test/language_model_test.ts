import * as tf from '@tensorflow/tfjs';
import {
  countParameters,
  generate,
  type GenerateOptions,
  LANGUAGE_MODEL_PRESETS,
  languageModel,
  type LanguageModelConfig,
  layers,
  sparseSoftmaxCrossEntropyLoss,
} from '../src/index';
import {describeEachBackend} from './backends';
import {expectClose} from './close';

const TINY: LanguageModelConfig = {
  vocabSize: 17,
  sequenceLength: 8,
  hiddenSize: 12,
  numLayers: 2,
  numHeads: 3,
};
const MOE = {moeNumExperts: 4, moeTopK: 2};
const CONFIGS: [string, LanguageModelConfig][] = [
  ['dense', TINY],
  ['moe', {...TINY, feedForward: 'moe', moe: {...MOE, moeCapacityFactor: 2}}],
  ['dMoE', {...TINY, feedForward: 'dMoE', moe: MOE}],
  [
    'dMoE with glu and a shared expert',
    {
      ...TINY,
      feedForward: 'dMoE',
      ffnHiddenSize: 20,
      moe: {...MOE, mlpType: 'glu', sharedExpert: true, sharedExpertHiddenSize: 7},
    },
  ],
];

/** Sequences that count up from a random token: the next token is known from the last. */
function countingData(numSequences: number, {vocabSize, sequenceLength}: LanguageModelConfig) {
  const rows = Array.from({length: numSequences}, (_, i) =>
    Array.from({length: sequenceLength + 1}, (_, t) => (i * 5 + t) % vocabSize),
  );
  return {
    x: tf.tensor2d(
      rows.map((row) => row.slice(0, -1)),
      undefined,
      'int32',
    ),
    y: tf.tensor3d(rows.map((row) => row.slice(1).map((id) => [id]))),
  };
}

function compiled(config: LanguageModelConfig): tf.LayersModel {
  const model = languageModel(config);
  model.compile({optimizer: tf.train.adam(0.01), loss: sparseSoftmaxCrossEntropyLoss});
  return model;
}

describe('sizes', () => {
  // Gale et al. (2023), tables 1 and 2; the paper gives whole millions.
  test.each([
    ['xs', 46],
    ['small', 125],
    ['medium', 356],
    ['large', 760],
    ['xl', 1316],
    ['xs-64e', 839],
    ['small-64e', 3693],
    ['medium-64e', 13041],
    // Not in the paper. By hand: 24 layers of 4 H^2 of attention and 64 experts of 8 H^2 each, the
    // embeddings, and the little that the router, norms and biases have.
    ['large-64e', 29300],
    ['xl-64e', 52053],
  ] as const)('%s has %p million parameters', (name, millions) => {
    const {total, active} = countParameters(LANGUAGE_MODEL_PRESETS[name]);
    expect(Math.abs(total / 1e6 - millions)).toBeLessThanOrEqual(Math.max(0.5, 0.003 * millions));
    if (name.endsWith('-64e')) {
      const dense = countParameters(LANGUAGE_MODEL_PRESETS[name.replace('-64e', '') as 'xs']);
      expect(active / dense.total).toBeCloseTo(1, 2);
    }
  });

  test.each(CONFIGS)('%s: the count without building is that of the model', async (_, config) => {
    await tf.ready();
    const model = languageModel(config);
    expect(countParameters(config).total).toBe(model.countParams());
    model.dispose();
  });
});

/** On webgpu, which in the tests is software, test/webgpu_training_test.ts takes many small steps. */
const FAST_BACKENDS = ['cpu', 'wasm'] as const;

describeEachBackend(
  'training languageModel',
  () => {
    // What tfjs' own fused matMul saves for its gradient counts as a leak of its kernel on wasm.
    beforeAll(() => tf.env().set('IS_TEST', false));

    test.each(CONFIGS)('%s learns to count', async (_, config) => {
      const model = compiled(config);
      const {x, y} = countingData(16, config);
      const {history} = await model.fit(x, y, {
        epochs: 60,
        batchSize: 16,
        shuffle: false,
        verbose: 0,
      });
      expect(history.loss[0]).toBeGreaterThan(2.5);
      expect(history.loss.at(-1)).toBeLessThan(0.6);
      const [text] = [await generate(model, [3, 4, 5], {maxNewTokens: 9, temperature: 0})];
      expect(text).toEqual([6, 7, 8, 9, 10, 11, 12, 13, 14]);
      tf.dispose([x, y]);
      model.dispose();
    });

    test('training holds no memory from step to step', async () => {
      const config = CONFIGS[2][1];
      const model = compiled(config);
      const {x, y} = countingData(8, config);
      await model.fit(x, y, {epochs: 1, verbose: 0});
      const before = {...tf.memory(), ids: tf.backend().numDataIds()};
      await model.fit(x, y, {epochs: 20, verbose: 0});
      expect(tf.memory().numTensors).toBe(before.numTensors);
      expect(tf.memory().numBytes).toBe(before.numBytes);
      expect(tf.backend().numDataIds()).toBe(before.ids);
      model.dispose();
      tf.dispose([x, y]);
    });
  },
  FAST_BACKENDS,
);

describeEachBackend('languageModel', () => {
  beforeAll(() => tf.env().set('IS_TEST', false));

  test('the same seed is the same model and the same run; another is not', async () => {
    const config = CONFIGS[2][1];
    const {x, y} = countingData(8, config);
    const run = async (seed: number) => {
      const model = compiled({...config, seed});
      const {history} = await model.fit(x, y, {epochs: 3, shuffle: false, verbose: 0});
      model.dispose();
      return history.loss;
    };
    expect(await run(1)).toEqual(await run(1));
    expect(await run(1)).not.toEqual(await run(2));
  });

  test.each(CONFIGS)('%s survives saving and loading, and leaves nothing', async (_, config) => {
    const {numTensors} = tf.memory();
    const model = compiled(config);
    let saved: tf.io.ModelArtifacts | undefined;
    await model.save(
      tf.io.withSaveHandler(async (artifacts) => {
        saved = artifacts;
        return {modelArtifactsInfo: {dateSaved: new Date(), modelTopologyType: 'JSON'}};
      }),
    );
    const loaded = await tf.loadLayersModel(tf.io.fromMemory(saved!));
    const {x, y} = countingData(2, config);
    const [got, wanted] = [loaded, model].map((m) => m.predict(x) as tf.Tensor);
    expectClose(got, wanted, {tolerance: 0});
    tf.dispose([x, y, got, wanted]);
    [model, loaded, model.optimizer].forEach((m) => m.dispose());
    expect(tf.memory().numTensors).toBe(numTensors);
  });
});

describeEachBackend('generate', (backendName) => {
  // Many draws take long where the GPU is software.
  const testDraws = backendName === 'webgpu' ? test.skip : test;

  /** A model whose next token depends on nothing: the logits are the last layer's bias. */
  function biasedModel(logits: number[]): tf.LayersModel {
    return tf.sequential({
      layers: [
        layers.reversibleEmbedding({
          vocabSize: logits.length,
          hiddenSize: 1,
          inputShape: [4],
          dtype: 'int32',
        }),
        tf.layers.dense({
          units: logits.length,
          kernelInitializer: 'zeros',
          weights: [tf.zeros([1, logits.length]), tf.tensor1d(logits)],
        }),
      ],
    });
  }
  const LOGITS = [0.5, 0.3, 0.15, 0.05].map(Math.log);

  async function frequencies(options: Parameters<typeof generate>[2]): Promise<number[]> {
    const model = biasedModel(LOGITS);
    const ids = await generate(model, [0], {maxNewTokens: 400, seed: 7, ...options});
    model.dispose();
    return LOGITS.map((_, token) => ids.filter((id) => id === token).length / ids.length);
  }

  testDraws('draws by probability', async () => {
    const found = await frequencies({});
    [0.5, 0.3, 0.15, 0.05].forEach((p, i) => expect(Math.abs(found[i] - p)).toBeLessThan(0.08));
  });
  testDraws('temperature 0 takes the likeliest', async () => {
    expect(await frequencies({temperature: 0})).toEqual([1, 0, 0, 0]);
  });
  testDraws('a low temperature sharpens', async () => {
    expect((await frequencies({temperature: 0.3}))[0]).toBeGreaterThan(0.75);
  });
  testDraws('topK leaves the k likeliest', async () => {
    const found = await frequencies({topK: 2});
    expect(found.slice(2)).toEqual([0, 0]);
    expect(Math.abs(found[0] - 0.625)).toBeLessThan(0.08);
  });
  testDraws('topP leaves those that reach p', async () => {
    expect((await frequencies({topP: 0.7})).slice(2)).toEqual([0, 0]);
    expect((await frequencies({topP: 0.9}))[3]).toBe(0);
  });
  test('the same seed gives the same text, and nothing leaks', async () => {
    const model = biasedModel(LOGITS);
    const before = tf.memory().numTensors;
    const [first, second] = [
      await generate(model, [1, 2], {seed: 3}),
      await generate(model, [1, 2], {seed: 3}),
    ];
    expect(first).toEqual(second);
    expect(first.length).toBe(64);
    expect(tf.memory().numTensors).toBe(before);
    model.dispose();
  });
  test('an end token ends the text', async () => {
    const model = biasedModel(LOGITS);
    expect(await generate(model, [1], {temperature: 0, endToken: 0})).toEqual([]);
    model.dispose();
  });
  test('however low the temperature, the likeliest comes, and never one that cannot', async () => {
    const model = biasedModel([1, 3, -Infinity, 2]);
    for (const temperature of [1e-2, 1e-37, 1e-42]) {
      const ids = await generate(model, [0], {maxNewTokens: 2, temperature, seed: 1});
      expect(ids).toEqual([1, 1]);
    }
    model.dispose();
  });
  test('refuses ids that a language model does not know', async () => {
    const model = languageModel(TINY);
    await expect(generate(model, [17])).rejects.toThrow(
      'generate: prompt must be an integer from 0 to 16, got 17',
    );
    model.dispose();
  });
  test('fails where the logits are NaN', async () => {
    const model = biasedModel([0, NaN]);
    await expect(generate(model, [0])).rejects.toThrow(
      "generate: the largest of the model's logits must be a finite number, got NaN",
    );
    model.dispose();
  });
  test('refuses a model of sequences of any length', async () => {
    const ids = tf.input({shape: [null], dtype: 'int32'});
    const tokens = layers.reversibleEmbedding({vocabSize: 3, hiddenSize: 2});
    const logits = tokens.apply(tokens.apply(ids)) as tf.SymbolicTensor;
    const model = tf.model({inputs: ids, outputs: logits});
    await expect(generate(model, [0])).rejects.toThrow(
      'generate: model must take sequences of a static length, got [null,null]',
    );
    model.dispose();
  });
  test.each([
    [[], {}, 'generate: prompt must have at least one token, got none'],
    [[4], {}, 'generate: prompt must be an integer from 0 to 3, got 4'],
    [[0, 1.5], {maxNewTokens: 0}, 'generate: prompt must be an integer from 0 to 3, got 1.5'],
    [[0], {temperature: -1}, 'generate: temperature must be a number of at least 0, got -1'],
    [[0], {temperature: '1'}, "generate: temperature must be a number of at least 0, got '1'"],
    [[0], {topP: '1'}, "generate: topP must be above 0 and at most 1, got '1'"],
    [[0], {topK: 0}, 'generate: topK must be an integer of at least 1, got 0'],
    [[0], {topP: 0}, 'generate: topP must be above 0 and at most 1, got 0'],
  ])('refuses %p with %p', async (prompt, options, message) => {
    const model = biasedModel(LOGITS);
    const predict = jest.spyOn(model, 'predict');
    await expect(generate(model, prompt, options as GenerateOptions)).rejects.toThrow(message);
    expect(predict).not.toHaveBeenCalled();
    model.dispose();
  });
});

test.each([
  [{numHeads: 5}, 'languageModel: numHeads must divide hiddenSize, 12, got 5'],
  [{vocabSize: 0}, 'languageModel: vocabSize must be an integer of at least 1, got 0'],
  [{seed: 1.5}, 'languageModel: seed must be an integer of at least 0, got 1.5'],
  [{seed: -1}, 'languageModel: seed must be an integer of at least 0, got -1'],
  [{initStd: NaN}, 'languageModel: initStd must be a number of at least 0, got NaN'],
  [
    {moe: MOE},
    "languageModel: feedForward must be 'moe' or 'dMoE' where there is moe, got 'dense'",
  ],
  [
    {feedForward: 'sparse'},
    "languageModel: feedForward must be one of 'dense', 'moe', 'dMoE', got 'sparse'",
  ],
  [
    {feedForward: 'dMoE', moe: {returnBias: true}},
    "languageModel: moe must not have returnBias, which is the model's own, got true",
  ],
  [
    {feedForward: 'moe', moe: {moeNumExperts: 2, numLayers: 3}},
    "languageModel: moe must not have numLayers, which is the model's own, got 3",
  ],
  [
    {feedForward: 'dMoE', moe: {initMethod: 'zeros'}},
    "languageModel: moe must not have initMethod, which is the model's own, got 'zeros'",
  ],
  ...['name', 'hiddenSize', 'ffnHiddenSize', 'activationFn', 'outputLayerInitMethod', 'seed'].map(
    (field): [object, string] => [
      {moe: {[field]: 7}},
      `languageModel: moe must not have ${field}, which is the model's own, got 7`,
    ],
  ),
])('refuses %p', (change, message) => {
  expect(() => languageModel({...TINY, ...(change as object)})).toThrow(message);
});
