import type {Tensor, Tensor1D, Tensor2D} from '@tensorflow/tfjs-core';
import {assert, assertBins, assertCount, assertTensor} from '../src/asserts';
import {runKernel} from '../src/kernel';
import {Scatter, type ScatterAttrs, type ScatterInputs, WeightedScatter} from '../src/kernel_names';

// What the six permutation ops have in common.

/** Checks x [T, H] of a gather, and the permutation of its T * topK copies. */
export function assertGatherArgs(
  op: string,
  {x, indices, bins, topK}: {x: Tensor; indices: Tensor1D; bins: Tensor1D; topK: number},
) {
  assertTensor(op, 'x', x, {rank: 2, dtype: 'float32'});
  assertCount(op, 'topK', topK, {min: 1});
  assertTensor(op, 'indices', indices, {dtype: 'int32', shape: [x.shape[0] * topK]});
  assertBins(op, bins);
}

/** Checks the permutation of a scatter, and its weights where it has any. */
export function assertScatterArgs(
  op: string,
  {
    indices,
    weights,
    bins,
    topK,
  }: {indices: Tensor1D; weights: Tensor1D | null; bins: Tensor1D; topK: number},
) {
  assertCount(op, 'topK', topK, {min: 1});
  assertTensor(op, 'indices', indices, {rank: 1, dtype: 'int32'});
  assert(
    indices.size % topK === 0,
    () => `${op}: indices must have a multiple of topK, ${topK}, entries, got ${indices.size}`,
  );
  if (weights != null) {
    assertTensor(op, 'weights', weights, {dtype: 'float32', shape: [indices.size]});
  }
  assertBins(op, bins);
}

/** Checks the expert of each sorted position: one for each of `indices`. */
export function assertBinIds(op: string, binIds: Tensor1D, indices: Tensor1D) {
  assertTensor(op, 'binIds', binIds, {dtype: 'int32', shape: [indices.size]});
}

/** Runs the scatter that fits: only the weighted one keeps x for the backward pass. */
export function runScatter(
  inputs: ScatterInputs,
  weights: Tensor1D | null,
  attrs: ScatterAttrs,
): Tensor2D {
  return weights == null
    ? runKernel<ScatterInputs, ScatterAttrs, Tensor2D>(Scatter, inputs, attrs)
    : runKernel<ScatterInputs, ScatterAttrs, Tensor2D>(
        WeightedScatter,
        {...inputs, weights},
        attrs,
      );
}
