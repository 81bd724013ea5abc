import {customGrad, engine, type Tensor} from '@tensorflow/tfjs-core';

// tfjs keeps one tape: the list of the kernels that ran under the gradient being computed.

/** Identifies the forward pass being recorded; null outside of one. */
export function currentTape(): object | null {
  return engine().state.activeTape ?? null;
}

/**
 * Runs `f` with a tape of its own, so that it may compute a gradient within the backward pass of
 * another, as recomputation does. Without this the inner gradient would close the outer's tape.
 */
export function withOwnTape<T>(f: () => T): T {
  const {state} = engine();
  const outer = state.activeTape;
  try {
    return f();
  } finally {
    state.activeTape = outer;
  }
}

/** Runs `f` without recording it: what it computes is constant to the gradient, and nothing is kept for it. */
export function withoutTape<T>(f: () => T): T {
  const {state} = engine();
  const {gradientDepth} = state;
  state.gradientDepth = 0;
  try {
    return f();
  } finally {
    state.gradientDepth = gradientDepth;
  }
}

/**
 * `tf.customGrad` of these inputs, with what saves tensors for the gradient as an argument of its own: tfjs
 * gives it as one more input.
 */
export function withGradient(
  inputs: Tensor[],
  f: (
    inputs: Tensor[],
    save: (tensors: Tensor[]) => void,
  ) => {value: Tensor; gradFunc: (dy: Tensor, saved: Tensor[]) => Tensor | Tensor[]},
): Tensor {
  return customGrad((...args) => {
    const save = args.pop() as unknown as (tensors: Tensor[]) => void;
    return f(args as Tensor[], save);
  })(...inputs);
}
