import {reshape, type Tensor1D, type Tensor2D} from '@tensorflow/tfjs-core';
import {hasKernels, runKernel} from '../src/kernel';
import {
  AssignExperts,
  type AssignExpertsAttrs,
  type AssignExpertsInputs,
} from '../src/kernel_names';
import {inclusiveCumsum} from './cumsum';
import {histogram} from './histogram';
import {sort} from './sort';

/** The routed copies in expert order, N = T * K of them. All tensors are int32. */
export interface ExpertAssignment {
  /** The copies, token * K + j, expert after expert, [N]. */
  indices: Tensor1D;
  /** The expert of each, [N]. */
  binIds: Tensor1D;
  /** Where each expert's copies end, [E]. */
  bins: Tensor1D;
  /** How many each expert has, [E]. */
  tokensPerExpert: Tensor1D;
  /** K. */
  topK: number;
}

/**
 * Sorts the copies by their experts, those of one expert by token.
 *
 * @param expertIndices [T, K], int32.
 * @see megablocks.layers.moe.ParallelMLP.indices_and_bins
 */
export function assignExperts(expertIndices: Tensor2D, numExperts: number): ExpertAssignment {
  const [numTokens, topK] = expertIndices.shape;
  const experts = reshape(expertIndices, [numTokens * topK]) as Tensor1D;
  const endBit = Math.max(Math.ceil(Math.log2(numExperts)), 1);
  if (hasKernels(AssignExperts)) {
    const [indices, binIds, tokensPerExpert, bins] = runKernel<
      AssignExpertsInputs,
      AssignExpertsAttrs,
      Tensor1D[]
    >(AssignExperts, {experts}, {numExperts, endBit});
    return {indices, binIds, bins, tokensPerExpert, topK};
  }
  const [binIds, indices] = sort(experts, endBit);
  const tokensPerExpert = histogram(experts, numExperts);
  return {indices, binIds, bins: inclusiveCumsum(tokensPerExpert), tokensPerExpert, topK};
}
