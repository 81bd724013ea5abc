import * as tf from '@tensorflow/tfjs';
import {layers} from '../src/index';
import type {MoEArguments} from '../layers/arguments';
import {route} from '../layers/router';
import {describeEachBackend} from './backends';
import {expectClose} from './close';
import {type Golden, readGolden} from './safetensors';

// Every layer of test/goldens, forward and backward, against what the original computed.

const TOLERANCE = 1e-4;

interface GoldenArguments {
  kind: 'dMoE' | 'MoE';
  activation_fn: string;
  num_layers: number;
  ffn_hidden_size: number;
  [field: string]: unknown;
}

/** What `activation_fn` says, by tf.layers' identifiers. */
const ACTIVATIONS: Record<string, string> = {gelu_tanh: 'gelu_new', silu: 'silu', relu: 'relu'};

/** The fields of a golden that describe the case and not the layer. */
const OF_THE_CASE = ['kind', 'seed', 'sequence_length', 'batch_size', 'activation_fn'];

function toConfig(args: GoldenArguments): MoEArguments {
  const camelCase = (name: string) => name.replace(/_(\w)/g, (_, c: string) => c.toUpperCase());
  const fields = Object.entries(args).filter(([name]) => !OF_THE_CASE.includes(name));
  return {
    ...Object.fromEntries(fields.map(([name, value]) => [camelCase(name), value])),
    activationFn: ACTIVATIONS[args.activation_fn],
  };
}

/** A block size that divides F and leaves several blocks a row. */
function blockSizeFor(ffnHiddenSize: number): number {
  return [128, 16].find((size) => ffnHiddenSize % size === 0 && ffnHiddenSize > size)!;
}

/** Every way of computing one golden. */
function variants(args: GoldenArguments): {name: string; config: MoEArguments}[] {
  const config = toConfig(args);
  const impls: MoEArguments[] =
    args.kind === 'MoE'
      ? [{}]
      : [{mlpImpl: 'grouped'}, {mlpImpl: 'sparse', blockSize: blockSizeFor(args.ffn_hidden_size)}];
  return impls.flatMap((impl) =>
    [false, true].map((memoryOptimizedMlp) => ({
      name: [impl.mlpImpl, memoryOptimizedMlp && 'memory-optimized'].filter(Boolean).join(', '),
      config: {...config, ...impl, memoryOptimizedMlp},
    })),
  );
}

function toTensor({shape, values}: Golden): tf.Tensor {
  return tf.tensor(values, shape, 'float32');
}

type Layer = ReturnType<typeof layers.dMoE> | ReturnType<typeof layers.moe>;

/** The weights of a built layer under MegaBlocks' names. */
function weightsByName(layer: Layer): Map<string, tf.LayerVariable> {
  return new Map(layer.weights.map((weight) => [weight.originalName.split('/').at(-1)!, weight]));
}

const GOLDENS = [
  'dmoe_block128',
  'dmoe_glu_memory_optimized',
  'dmoe_memory_optimized',
  'dmoe_one_expert',
  'dmoe_shared_expert',
  'dmoe_shared_expert_weighted',
  'dmoe_skewed_empty_experts',
  'dmoe_top1_mlp',
  'dmoe_top2_mlp_norm1',
  'dmoe_top3_glu_norm2',
  'dmoe_top4_glu_silu',
  'dmoe_two_layers_losses',
  'dmoe_uniform_assignment',
  'moe_capacity0_dropless',
  'moe_capacity1_skewed_drops',
  'moe_capacity1_top1_drops',
  'moe_capacity2_top2',
  'moe_relu_zloss',
];

describeEachBackend('goldens of whole layers', (backendName) => {
  describe.each(GOLDENS)('%s', (golden) => {
    const {tensors, args} = readGolden(golden) as {
      tensors: Record<string, Golden>;
      args: unknown;
    } as {tensors: Record<string, Golden>; args: GoldenArguments};

    test.each(args.num_layers === 1 ? [''] : ['layers.0.', 'layers.1.'])('%srouter', (prefix) => {
      const {moeTopK, moeNormalizeExpertWeights, uniformExpertAssignment} = toConfig(args);
      tf.tidy(() => {
        const weight = toTensor(tensors[`${prefix}param.router.layer.weight`]) as tf.Tensor2D;
        const x = tf.reshape(toTensor(tensors.x), [-1, weight.shape[1]]) as tf.Tensor2D;
        const {scores, expertWeights, expertIndices} = route(x, weight, {
          topK: moeTopK!,
          normalizeExpertWeights: moeNormalizeExpertWeights ?? null,
          uniformExpertAssignment: uniformExpertAssignment ?? false,
        });
        const compare = (actual: tf.Tensor, name: string, tolerance?: number) => {
          const {shape, values} = tensors[`${prefix}router.${name}`];
          expectClose(actual, values, {shape, name, tolerance});
        };
        compare(scores, 'scores');
        compare(expertWeights, 'expert_weights');
        compare(expertIndices, 'expert_indices', 0);
      });
    });

    test.each(variants(args))('$name', ({config}) => {
      // Only numTensors tells leaks here: tfjs takes what tf.customGrad saves for a leak on some backends.
      tf.env().set('IS_TEST', !config.memoryOptimizedMlp && backendName !== 'webgpu');
      const {numTensors} = tf.memory();
      const stack = Array.from({length: args.num_layers}, (_, i) => {
        const layer = args.kind === 'dMoE' ? layers.dMoE(config) : layers.moe(config);
        layer.build(tensors.x.shape);
        const prefix = args.num_layers === 1 ? '' : `layers.${i}.`;
        const weights = weightsByName(layer);
        const names = Object.keys(tensors).filter((name) => name.startsWith(`${prefix}param.`));
        expect([...weights.keys()].sort()).toEqual(
          names.map((name) => name.slice(`${prefix}param.`.length)).sort(),
        );
        tf.tidy(() =>
          weights.forEach((weight, name) =>
            weight.write(toTensor(tensors[`${prefix}param.${name}`])),
          ),
        );
        return {layer, prefix, weights};
      });

      // The softmax over one expert is 1, which leaves the router no gradient; TensorFlow's is 1 - 2^-24.
      const magnitude = backendName === 'tensorflow' ? 1 : 0;
      tf.tidy(() => {
        const x = tf.variable(toTensor(tensors.x));
        const dy = toTensor(tensors.dy);
        const seen: Record<string, tf.Tensor> = {};
        stack.forEach(({layer, prefix}) => {
          layer.routingObservers.add(({scores, tokensPerExpert}) => {
            seen[`${prefix}router.scores`] = tf.keep(tf.clone(scores));
            seen[`${prefix}tokens_per_expert`] = tf.keep(tf.clone(tokensPerExpert));
          });
        });
        const {value, grads} = tf.variableGrads(() => {
          const y = stack.reduce<tf.Tensor>(
            (y, {layer}) => layer.apply(y, {training: true}) as tf.Tensor,
            x,
          );
          seen.y = tf.keep(tf.clone(y));
          const all = stack.map(({layer}) => layer);
          seen.load_balancing_loss = tf.keep(layers.batchedLoadBalancingLoss(all));
          seen.router_zloss = tf.keep(layers.batchedRouterZloss(all));
          const losses = all.flatMap((layer) => layer.calculateLosses());
          return tf.addN([tf.sum(tf.mul(y, dy)), ...losses]) as tf.Scalar;
        });

        expectClose(seen.y, toTensor(tensors.y), {tolerance: TOLERANCE, name: 'y'});
        expectClose(seen.load_balancing_loss, tensors.load_balancing_loss.values, {
          tolerance: TOLERANCE,
          name: 'load_balancing_loss',
        });
        const zloss = tf.sum(tf.tensor1d(tensors.router_zloss?.values ?? [0]));
        expectClose(seen.router_zloss, zloss, {tolerance: TOLERANCE, name: 'router_zloss'});
        // A sum whose terms, of both signs, are each as exact as y.
        const terms = Array.from(tensors.y.values, (y, i) => Math.abs(y * tensors.dy.values[i]));
        expectClose(value, tensors.loss.values, {
          tolerance: TOLERANCE,
          magnitude: terms.reduce((sum, term) => sum + term, 0),
          name: 'loss',
        });
        expectClose(grads[x.name], toTensor(tensors.dx), {tolerance: TOLERANCE, name: 'dx'});
        stack.forEach(({prefix, weights}, i) => {
          const routed = `${prefix}tokens_per_expert`;
          expectClose(seen[routed], tensors[routed].values, {tolerance: 0, name: routed});
          if (i === 0) {
            // The goldens have the scores that a later layer gives the first one's input.
            const scores = `${prefix}router.scores`;
            expectClose(seen[scores], toTensor(tensors[scores]), {name: scores});
          }
          weights.forEach((weight, name) => {
            const wanted = toTensor(tensors[`${prefix}grad.${name}`]);
            expectClose(grads[weight.name], wanted, {tolerance: TOLERANCE, magnitude, name});
          });
        });
        tf.dispose([x, seen]);
      });
      stack.forEach(({weights}) => weights.forEach((weight) => weight.dispose()));
      expect(tf.memory().numTensors).toBe(numTensors);
    });
  });
});
