import {logSumExp, mean, mul, type Scalar, square, type Tensor2D} from '@tensorflow/tfjs-core';

/**
 * The router z-loss, which keeps the logits small: `weight * mean(logsumexp(logits)^2)`.
 *
 * @param logits [T, E].
 * @see megablocks.layers.router.ZLoss; Zoph et al., ST-MoE, 2022
 */
export function routerZloss(logits: Tensor2D, weight: number): Scalar {
  return mul(mean(square(logSumExp(logits, -1))), weight);
}
