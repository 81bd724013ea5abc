import {mul, type Tensor, tidy, valueAndGrads} from '@tensorflow/tfjs-core';
import {withGradient, withOwnTape} from '../../src/tape';
import type {ActivationName, Precision} from '../../src/kernel_names';
import type {ActivationFunction} from '../activations';

/** The weights of all experts, in the layout that the products take. */
export interface ExpertWeights {
  w1: Tensor;
  /** Of a glu. */
  v1?: Tensor;
  w2: Tensor;
}

/**
 * The products of an expert MLP over rows that belong to different experts: what the kinds of layer
 * differ in.
 */
export interface ExpertProducts {
  /** The rows times their experts' w1. */
  up(x: Tensor, w1: Tensor): Tensor;
  /** The hidden rows times their experts' w2. */
  down(hidden: Tensor, w2: Tensor): Tensor;
  /** The gradient of `down` for the hidden rows. */
  downGradHidden(dy: Tensor, w2: Tensor): Tensor;
  /** The gradient of `down` for w2. */
  downGradWeights(hidden: Tensor, dy: Tensor): Tensor;
}

/** Which rows belong to which expert, and the products over them. */
export interface ExpertRows {
  /** What the products need to know of the rows: int32 tensors. */
  metadata: Tensor[];
  products(metadata: Tensor[]): ExpertProducts;
}

export interface ExpertMlpOptions {
  activation: ActivationFunction;
  /** The kernel that computes the activation, where there is one. */
  activationKernel?: ActivationName;
  memoryOptimized: boolean;
  /** Of the products; by default the backend's. */
  precision?: Precision;
}

/**
 * The experts on their rows: `act(x w1) w2`, or with v1 `(act(x w1) * (x v1)) w2`. With
 * `memoryOptimized` the backward pass keeps only x, the weights and the pre-activations, and computes
 * the hidden rows again.
 *
 * @see megablocks.layers.mlp.SparseMLP and GroupedMLP, megablocks.layers.glu.SparseGLU and GroupedGLU
 */
export function expertMlp(
  x: Tensor,
  {w1, v1, w2}: ExpertWeights,
  rows: ExpertRows,
  {activation, memoryOptimized}: ExpertMlpOptions,
): Tensor {
  const {up, down} = rows.products(rows.metadata);
  const preActivations = v1 == null ? [up(x, w1)] : [up(x, w1), up(x, v1)];
  const hidden: HiddenFunction = (gate, linear) =>
    linear == null ? activation(gate) : mul(activation(gate), linear);
  return memoryOptimized
    ? recomputedDown(hidden, preActivations, w2, rows)
    : down(hidden(...(preActivations as [Tensor])), w2);
}

/** The hidden rows from the pre-activations: of w1, and of v1 in a glu. */
type HiddenFunction = (gate: Tensor, linear?: Tensor) => Tensor;

/**
 * `down(hidden(preActivations), w2)` that keeps the pre-activations and not the hidden rows.
 *
 * @see megablocks.layers.mlp.MemoryOptimizedMLP, megablocks.layers.glu.MemoryOptimizedGroupedGLU
 */
function recomputedDown(
  hidden: HiddenFunction,
  preActivations: Tensor[],
  w2: Tensor,
  {metadata, products}: ExpertRows,
): Tensor {
  const numInputs = preActivations.length;
  return withGradient([...preActivations, w2], (inputs, save) => {
    save([...inputs, ...metadata]);
    const gradFunc = (dy: Tensor, saved: Tensor[]) =>
      tidy(() => {
        const [w2, ...metadata] = saved.slice(numInputs);
        const {downGradHidden, downGradWeights} = products(metadata);
        const {value, grads} = withOwnTape(() =>
          valueAndGrads(hidden)(saved.slice(0, numInputs), downGradHidden(dy, w2)),
        );
        return [...grads, downGradWeights(value, dy)];
      });
    const [preActivations, w2] = [inputs.slice(0, numInputs), inputs[numInputs]];
    return {value: products(metadata).down(hidden(...(preActivations as [Tensor])), w2), gradFunc};
  });
}
