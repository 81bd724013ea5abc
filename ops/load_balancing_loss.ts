import {
  cast,
  mean,
  mul,
  type Scalar,
  sum,
  type Tensor1D,
  type Tensor2D,
} from '@tensorflow/tfjs-core';
import {hasKernels, runKernel} from '../src/kernel';
import {
  LoadBalancingLoss,
  type LoadBalancingLossAttrs,
  LoadBalancingLossGrad,
  type LoadBalancingLossInputs,
} from '../src/kernel_names';
import {stopGradient} from './stop_gradient';

export interface LoadBalancingLossOptions {
  weight: number;
  /** K. */
  topK: number;
  /** How many layers' losses add up to `weight` when all are balanced. */
  numLayers: number;
}

/**
 * The load-balancing loss: `weight * E / (numLayers * T * K) * sum over the experts of
 * tokensPerExpert[e] * mean over the tokens of scores[t, e]`. It is `weight / numLayers` where every
 * expert gets as many tokens and as much probability. The counts are constants to the gradient.
 *
 * @param tokensPerExpert [E], int32.
 * @param scores [T, E], T at least 1.
 * @see megablocks.layers.moe.batched_load_balancing_loss; Fedus et al., Switch Transformers, 2021
 */
export function loadBalancingLoss(
  tokensPerExpert: Tensor1D,
  scores: Tensor2D,
  {weight, topK, numLayers}: LoadBalancingLossOptions,
): Scalar {
  const [numTokens, numExperts] = scores.shape;
  const constantTokens = stopGradient(tokensPerExpert);
  const scale = (weight * numExperts) / (numLayers * numTokens * topK);
  if (hasKernels(LoadBalancingLoss, LoadBalancingLossGrad)) {
    return runKernel<LoadBalancingLossInputs, LoadBalancingLossAttrs, Scalar>(
      LoadBalancingLoss,
      {scores, tokensPerExpert: constantTokens},
      {scale: scale / numTokens, numTokens},
    );
  }
  const counts = cast(constantTokens, 'float32');
  return mul(sum(mul(counts, mean(scores, 0))), scale);
}
