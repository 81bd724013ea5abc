import type {Tensor, Tensor2D} from '@tensorflow/tfjs-core';
import {initializers} from '@tensorflow/tfjs-layers';
import type {ResolvedArguments} from './arguments';
import {
  arranged,
  defaultInitializer,
  forStream,
  type Initializer,
  linearInitializer,
  resolveInitializer,
} from './initializers';

// The weights of a MoE layer under MegaBlocks' names and in its layouts, so that checkpoints convert
// one to one.

export interface WeightSpec {
  shape: number[];
  initializer: Initializer;
}

/** How a kind of layer lays out an expert weight, which is drawn as [E * F, H]. */
export interface ExpertWeightLayout {
  shape: number[];
  arrange(drawn: Tensor2D): Tensor;
}

/** The layouts of w1 and v1, and of w2. */
export interface ExpertWeightLayouts {
  up: ExpertWeightLayout;
  down: ExpertWeightLayout;
}

/** Every weight that may be drawn, each from the stream of its position: add new ones at the end. */
const DRAWN = [
  'router.layer.weight',
  'experts.mlp.w1',
  'experts.mlp.v1',
  'experts.mlp.w2',
  'shared_expert.up_proj.weight',
  'shared_expert.up_proj.bias',
  'shared_expert.gate_proj.weight',
  'shared_expert.gate_proj.bias',
  'shared_expert.down_proj.weight',
  'shared_expert.down_proj.bias',
];

/** The weights of a layer by name, in order. */
export function weightSpecs(
  args: ResolvedArguments,
  hiddenSize: number,
  layouts: ExpertWeightLayouts,
): Record<string, WeightSpec> {
  const {moeNumExperts, ffnHiddenSize, bias} = args;
  const isGlu = args.mlpType === 'glu';
  const init = initMethod(args);
  const outputInit = outputLayerInitMethod(args);

  const expert = (name: string, layout: ExpertWeightLayout, initializer: Initializer) => ({
    [name]: {
      shape: layout.shape,
      initializer: arranged(
        ownStream(initializer, name),
        [moeNumExperts * ffnHiddenSize, hiddenSize],
        layout.arrange,
      ),
    },
  });
  const linear = (name: string, outFeatures: number, inFeatures: number) => {
    const initializer = linearInitializer(inFeatures, args.seed ?? undefined);
    const [weight, offset] = [`${name}.weight`, `${name}.bias`];
    return {
      [weight]: {shape: [outFeatures, inFeatures], initializer: ownStream(initializer, weight)},
      ...(bias && {[offset]: {shape: [outFeatures], initializer: ownStream(initializer, offset)}}),
    };
  };
  const sharedExpert = (size: number) => ({
    ...linear('shared_expert.up_proj', size, hiddenSize),
    ...(isGlu && linear('shared_expert.gate_proj', size, hiddenSize)),
    ...linear('shared_expert.down_proj', hiddenSize, size),
  });

  return {
    'router.layer.weight': {
      shape: [moeNumExperts, hiddenSize],
      initializer: ownStream(init, 'router.layer.weight'),
    },
    ...expert('experts.mlp.w1', layouts.up, init),
    ...(isGlu && expert('experts.mlp.v1', layouts.up, init)),
    ...expert('experts.mlp.w2', layouts.down, outputInit),
    ...(bias && {'experts.bias': {shape: [hiddenSize], initializer: initializers.zeros()}}),
    ...(args.sharedExpert && sharedExpert(args.sharedExpertHiddenSize ?? ffnHiddenSize)),
  };
}

function initMethod({initMethod, seed}: ResolvedArguments): Initializer {
  return initMethod == null
    ? defaultInitializer(seed ?? undefined)
    : resolveInitializer(initMethod);
}

function outputLayerInitMethod(args: ResolvedArguments): Initializer {
  return initMethod({...args, initMethod: args.outputLayerInitMethod ?? args.initMethod});
}

function ownStream(initializer: Initializer, name: string): Initializer {
  return forStream(initializer, DRAWN.indexOf(name));
}
