import {add, matMul, mul, type Tensor1D, type Tensor2D} from '@tensorflow/tfjs-core';
import type {ActivationFunction} from './activations';

/** A linear layer: weight [out, in], bias [out]. */
export interface LinearWeights {
  weight: Tensor2D;
  bias?: Tensor1D;
}

/** With S the shared expert's hidden size: up and gate [S, H], down [H, S]. */
export interface SharedExpertWeights {
  upProj: LinearWeights;
  /** Of a glu. */
  gateProj?: LinearWeights;
  downProj: LinearWeights;
}

/**
 * The expert that every token goes to: `down(act(up(x)))`, or `down(act(gate(x)) * up(x))`.
 *
 * @param x [T, H].
 * @see megablocks.layers.mlp.SharedMLP, megablocks.layers.glu.SharedGLU
 */
export function sharedExpert(
  x: Tensor2D,
  {upProj, gateProj, downProj}: SharedExpertWeights,
  activation: ActivationFunction,
): Tensor2D {
  const up = linear(x, upProj);
  const hidden = gateProj == null ? activation(up) : mul(activation(linear(x, gateProj)), up);
  return linear(hidden as Tensor2D, downProj);
}

function linear(x: Tensor2D, {weight, bias}: LinearWeights): Tensor2D {
  const y = matMul<Tensor2D>(x, weight, false, true);
  return bias == null ? y : add(y, bias);
}
