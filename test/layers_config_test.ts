import * as tf from '@tensorflow/tfjs';
import {layers} from '../src/index';
import type {MoEArguments} from '../layers/arguments';
import {describeEachBackend} from './backends';

// What a MoE layer accepts and refuses, and what it says then.

type Config = Record<string, unknown>;

const KINDS = {
  dMoE: (config: Config) => layers.dMoE(config as MoEArguments),
  moe: (config: Config) => layers.moe(config as MoEArguments),
};

const BAD: [config: Config, message: string | RegExp][] = [
  [{moeNumExperts: 0}, 'moeNumExperts must be an integer of at least 1, got 0'],
  [{moeNumExperts: 2.5}, 'moeNumExperts must be an integer of at least 1, got 2.5'],
  [{moeTopK: 0}, 'moeTopK must be an integer of at least 1, got 0'],
  [{moeTopK: '2'}, "moeTopK must be an integer of at least 1, got '2'"],
  [{moeNumExperts: 4, moeTopK: 5}, 'moeTopK must be an integer from 1 to 4, got 5'],
  [{ffnHiddenSize: -64}, 'ffnHiddenSize must be an integer of at least 1, got -64'],
  [{ffnHiddenSize: NaN}, 'ffnHiddenSize must be an integer of at least 1, got NaN'],
  [{blockSize: 0}, 'blockSize must be an integer of at least 1, got 0'],
  [
    {mlpImpl: 'sparse', ffnHiddenSize: 100, blockSize: 16},
    "ffnHiddenSize must be a multiple of blockSize, 16, with mlpImpl 'sparse', got 100",
  ],
  [{hiddenSize: 0}, 'hiddenSize must be an integer of at least 1, got 0'],
  [{numLayers: 0}, 'numLayers must be an integer of at least 1, got 0'],
  [{sharedExpertHiddenSize: 0.5}, 'sharedExpertHiddenSize must be an integer of at least 1'],
  [{moeCapacityFactor: -1}, 'moeCapacityFactor must be a number of at least 0, got -1'],
  [{moeCapacityFactor: NaN}, 'moeCapacityFactor must be a number of at least 0, got NaN'],
  [{moeLossWeight: -0.1}, 'moeLossWeight must be a number of at least 0, got -0.1'],
  [{moeZlossWeight: '1'}, "moeZlossWeight must be a number of at least 0, got '1'"],
  [{moeJitterEps: 2}, 'moeJitterEps must be a number from 0 to 1, got 2'],
  [{moeNormalizeExpertWeights: -1}, 'moeNormalizeExpertWeights must be a number of at least 0'],
  [{seed: -1}, 'seed must be an integer of at least 0, got -1'],
  [{bias: 1}, 'bias must be true or false, got 1'],
  [{returnBias: 'no'}, "returnBias must be true or false, got 'no'"],
  [{mlpType: 'moe'}, "mlpType must be one of 'mlp', 'glu', got 'moe'"],
  [{mlpImpl: 'dense'}, "mlpImpl must be one of 'grouped', 'sparse', got 'dense'"],
  [{precision: 'float64'}, "precision must be one of 'float32', 'float16', got 'float64'"],
  [
    {activationFn: 'geluish'},
    /activationFn must be a function or one of 'gelu_new', .*'hardSigmoid'.*, got 'geluish'/,
  ],
  [{activationFn: 'Dense'}, /activationFn must be a function or one of .*, got 'Dense'/],
  [{activationFn: 'softmax'}, /activationFn must be a function or one of .*, got 'softmax'/],
  [
    {activationFn: 'log_softmax'},
    /activationFn must be a function or one of .*, got 'log_softmax'/,
  ],
  [{activationFn: 1}, /activationFn must be a function or one of .*, got 1/],
  [{initMethod: 'normal'}, /initMethod must be an initializer or one of 'Zeros'.*, got 'normal'/],
  [{outputLayerInitMethod: 'relu'}, /outputLayerInitMethod must be an initializer or one of /],
  [{moeTopk: 2}, 'moeTopk is not a field of the configuration'],
  [{constructor: 2}, 'constructor is not a field of the configuration'],
  [
    {moeExpertModelParallelism: true},
    'moeExpertModelParallelism must be false, since all experts are on one device, got true',
  ],
  [{expertParallelGroup: 'world'}, 'expertParallelGroup must be null, since all experts are'],
  [{pipelineModelParallelSize: 2}, 'pipelineModelParallelSize must be 1, since all layers are'],
  [{numLayersPerVirtualPipelineStage: 2}, 'numLayersPerVirtualPipelineStage must be null, since'],
  [{fp16: true}, 'fp16 must be false, since weights are float32, got true'],
  [{bf16: true}, 'bf16 must be false, since weights are float32, got true'],
  [
    {device: 'cuda'},
    "device must be null, since the device is that of the backend in use, got 'cuda'",
  ],
  [{fcCls: 'Linear'}, "fcCls must be null, since the shared expert's products are the layer's own"],
  [{fcKwargs: {}}, "fcKwargs must be null, since the shared expert's products are the layer's own"],
  [{rematActFn: false}, 'rematActFn must be true, since memoryOptimizedMlp is what recomputes'],
];

describeEachBackend('the configuration of a MoE layer', () => {
  describe.each(Object.entries(KINDS))('%s', (owner, make) => {
    test.each(BAD)('refuses %j', (config, message) => {
      const error = thrown(() => make(config));
      expect(error).toMatch(message);
      expect(error.startsWith(`${owner}: `)).toBe(true);
    });

    test("accepts MegaBlocks' neutral values of what it cannot honour", () => {
      const config = {
        moeExpertModelParallelism: false,
        expertParallelGroup: null,
        pipelineModelParallelSize: 1,
        numLayersPerVirtualPipelineStage: null,
        fp16: false,
        bf16: false,
        device: null,
        fcCls: null,
        fcKwargs: null,
        rematActFn: true,
        moeLblInFp32: true,
        moeZlossInFp32: true,
      };
      expect(() => make(config)).not.toThrow();
    });

    test('refuses inputs that do not fit, symbolic or not', () => {
      const layer = make({ffnHiddenSize: 4, moeNumExperts: 2});
      const symbolic = (shape: (number | null)[], dtype: tf.DataType = 'float32') =>
        tf.input({batchShape: shape, dtype});
      expect(() => layer.apply(symbolic([null]))).toThrow(
        `${owner}: input must have a rank of at least 2, got shape [null]`,
      );
      expect(() => layer.apply(symbolic([null, null]))).toThrow(
        `${owner}: input must have a last axis of a known size above 0, got shape [null,null]`,
      );
      expect(() => layer.apply(symbolic([null, 0]))).toThrow(
        `${owner}: input must have a last axis of a known size above 0, got shape [null,0]`,
      );
      expect(() => layer.apply(symbolic([null, 8], 'int32'))).toThrow(
        `${owner}: input must be float32, got int32`,
      );
      layer.apply(symbolic([null, 8]));
      tf.tidy(() => {
        expect(() => layer.apply(tf.zeros([3, 6]))).toThrow(
          `${owner}: input must have a last axis of 8, got shape [3,6]`,
        );
        expect(() => layer.apply(tf.zeros([8]))).toThrow('input must have a rank of at least 2');
        expect(() => layer.apply(tf.zeros([3, 8], 'int32'))).toThrow('input must be float32');
        expect(() => layer.apply([tf.zeros([3, 8]), tf.zeros([3, 8])])).toThrow(
          `${owner}: input must be one tensor, got 2`,
        );
      });
      layer.dispose();
    });

    test('refuses an input of another size than hiddenSize', () => {
      const layer = make({hiddenSize: 16});
      expect(() => layer.apply(tf.input({shape: [8]}))).toThrow(
        `${owner}: input must have a last axis of 16, got shape [null,8]`,
      );
    });

    test('says how to save a function', () => {
      const layer = make({activationFn: (x: tf.Tensor) => tf.square(x)});
      expect(() => layer.getConfig()).toThrow(
        `${owner}: activationFn must be a name to be saved, got a function; give it one with registerActivation`,
      );
    });

    test('makes the same layer of its own configuration', () => {
      const config: Config = {
        name: 'mixture',
        ffnHiddenSize: 32,
        numLayers: 2,
        bias: false,
        returnBias: true,
        activationFn: 'silu',
        moeNumExperts: 4,
        moeTopK: 2,
        moeCapacityFactor: 1.5,
        moeNormalizeExpertWeights: 1,
        moeLossWeight: 0.01,
        moeJitterEps: 0.1,
        moeLblInFp32: true,
        moeZlossWeight: 0.001,
        moeZlossInFp32: true,
        uniformExpertAssignment: true,
        memoryOptimizedMlp: true,
        mlpType: 'glu',
        mlpImpl: 'sparse',
        blockSize: 16,
        precision: 'float16',
        sharedExpert: true,
        sharedExpertHiddenSize: 24,
        sharedExpertWeightedSum: true,
        initMethod: 'glorotUniform',
        outputLayerInitMethod: 'zeros',
        seed: 3,
        hiddenSize: 8,
      };
      const layer = make(config);
      const saved = layer.getConfig();
      expect(saved).toMatchObject(config);
      const Class = layer.constructor as unknown as tf.serialization.SerializableConstructor<
        typeof layer
      >;
      expect(Class.fromConfig(Class, saved).getConfig()).toEqual(saved);
    });
  });
});

test('the layer of an activation says how to save a function', () => {
  const layer = layers.activation({activation: (x) => tf.square(x)});
  expect(() => layer.getConfig()).toThrow(
    'activation: activation must be a name to be saved, got a function; give it one with registerActivation',
  );
  expect(layers.activation({activation: 'silu'}).getConfig()).toMatchObject({activation: 'silu'});
});

describeEachBackend("the inputs of the transformer's layers", () => {
  const LAYERS: Record<string, () => tf.layers.Layer> = {
    positionEmbedding: () => layers.positionEmbedding({maxLength: 4}),
    reversibleEmbedding: () => layers.reversibleEmbedding({vocabSize: 5, hiddenSize: 6}),
    causalAttention: () => layers.causalAttention({numHeads: 2}),
    layerNorm: () => layers.layerNorm(),
  };

  test.each<[string, (number | null)[], string]>([
    ['positionEmbedding', [null, 4], 'shape [batch, T, a known size], got shape [null,4]'],
    ['positionEmbedding', [2, 3, 4, 6], 'shape [batch, T, a known size], got shape [2,3,4,6]'],
    ['positionEmbedding', [2, 4, null], 'shape [batch, T, a known size], got shape [2,4,null]'],
    ['reversibleEmbedding', [null], 'shape [batch, T] or [batch, T, 6], got shape [null]'],
    ['reversibleEmbedding', [2, 4, 5], 'shape [batch, T] or [batch, T, 6], got shape [2,4,5]'],
    [
      'causalAttention',
      [null, 4, 8],
      'rank 3 and a last axis that 3 * numHeads, 6, divides, got shape [null,4,8]',
    ],
    [
      'causalAttention',
      [4, 6],
      'rank 3 and a last axis that 3 * numHeads, 6, divides, got shape [4,6]',
    ],
    ['layerNorm', [4, null], 'a last axis of a known size, got shape [4,null]'],
  ])('%s refuses %j', (owner, shape, message) => {
    const apply = (input: tf.Tensor | tf.SymbolicTensor) => () => LAYERS[owner]().apply(input);
    const error = `${owner}: inputs must have ${message}`;
    expect(apply(tf.input({batchShape: shape}))).toThrow(error);
    if (!shape.includes(null)) {
      tf.tidy(() => expect(apply(tf.zeros(shape as number[]))).toThrow(error));
    }
  });

  test('positionEmbedding refuses another size than before', () => {
    const layer = layers.positionEmbedding({maxLength: 4});
    layer.build([null, 2, 6]);
    tf.tidy(() =>
      expect(() => layer.apply(tf.zeros([1, 2, 1]))).toThrow(
        'positionEmbedding: inputs must have shape [batch, T, 6], got shape [1,2,1]',
      ),
    );
    layer.weights.forEach((weight) => weight.dispose());
  });

  test.each(['positionEmbedding', 'reversibleEmbedding'] as const)(
    '%s of one seed begins the same, also of 0',
    async (owner) => {
      const start = async (seed: number) => {
        const sizes = {maxLength: 4, vocabSize: 4, hiddenSize: 3};
        const layer = layers[owner]({...sizes, seed});
        layer.build(owner === 'positionEmbedding' ? [null, 4, 3] : [null, 4]);
        return Array.from(await layer.getWeights()[0].data());
      };
      const starts = await Promise.all([0, 0, 1, 1].map(start));
      expect(starts[1]).toEqual(starts[0]);
      expect(starts[3]).toEqual(starts[2]);
      expect(starts[2]).not.toEqual(starts[0]);
    },
  );

  test.each(['positionEmbedding', 'reversibleEmbedding'] as const)(
    '%s refuses a deviation below zero',
    (owner) => {
      const sizes = {maxLength: 4, vocabSize: 4, hiddenSize: 3};
      expect(() => layers[owner]({...sizes, initStd: -1})).toThrow(
        `${owner}: initStd must be a number of at least 0, got -1`,
      );
    },
  );
});

describe('registerActivation', () => {
  test.each(['my_activation', 'MyActivation', ''])('refuses the name %j', (name) => {
    expect(() => layers.registerActivation(name, (x) => x)).toThrow(
      `registerActivation: name must be in camelCase, got '${name}'`,
    );
  });

  test.each([
    ['relu', 'relu'],
    ['geluNew', 'gelu_new'],
    ['silu', 'silu'],
    ['hardSigmoid', 'hardSigmoid'],
    ['softmax', 'softmax'],
    ['linear', 'linear'],
    ['dMoE', 'dMoE'],
  ])('refuses the name %j, which is taken', async (name, taken) => {
    expect(() => layers.registerActivation(name, (x) => tf.neg(x))).toThrow(
      `registerActivation: name must not be taken, got '${name}', and there is '${taken}'`,
    );
    await tf.ready();
    const x = tf.tensor1d([-1, 2]);
    const y = tf.layers.activation({activation: 'relu'}).apply(x) as tf.Tensor;
    expect([...(await y.data())]).toEqual([0, 2]);
    tf.dispose([x, y]);
  });

  test("gives a name of one's own anew, in one spelling", async () => {
    await tf.ready();
    layers.registerActivation('timesTwo', (x) => x);
    layers.registerActivation('timesTwo', (x) => tf.mul(x, 2));
    const x = tf.tensor1d([-1, 2]);
    const y = layers.activation({activation: 'timesTwo'}).apply(x) as tf.Tensor;
    expect([...(await y.data())]).toEqual([-2, 4]);
    tf.dispose([x, y]);
    expect(() => layers.registerActivation('timestwo', (x) => x)).toThrow(
      "registerActivation: name must not be taken, got 'timestwo', and there is 'timesTwo'",
    );
  });

  test('refuses what is not a function', () => {
    expect(() =>
      layers.registerActivation('none', 'relu' as unknown as (x: tf.Tensor) => tf.Tensor),
    ).toThrow("registerActivation: fn must be a function, got 'relu'");
  });
});

describeEachBackend('activations by name', () => {
  test.each(['gelu_new', 'gelu', 'silu', 'swish', 'relu', 'tanh', 'elu', 'mish', 'hardSigmoid'])(
    "%s is tf.layers' own",
    async (name) => {
      const x = tf.linspace(-3, 3, 13);
      const wanted = tf.layers
        .activation({activation: name === 'silu' ? 'swish' : (name as 'relu')})
        .apply(x) as tf.Tensor;
      // One expert, whose matrices pass its input through, is its activation.
      const layer = layers.dMoE({
        ffnHiddenSize: 1,
        activationFn: name,
        bias: false,
        initMethod: 'ones',
        // Half precision would round the input.
        precision: 'float32',
      });
      const y = layer.apply(tf.reshape(x, [13, 1])) as tf.Tensor;
      const [got, expected] = await Promise.all([y.data(), wanted.data()]);
      got.forEach((value, i) => expect(value).toBeCloseTo(expected[i], 5));
    },
  );
});

function thrown(f: () => unknown): string {
  try {
    f();
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}
