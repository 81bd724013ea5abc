import {add, type Scalar, scalar, tidy} from '@tensorflow/tfjs-core';
import {type layers, LayersModel} from '@tensorflow/tfjs-layers';
import {MoELayer} from './moe_layer';

// MegaBlocks' global functions, for those who port code. `model.fit` needs none of them: there every
// layer adds its losses itself. Here nothing is global: each function takes the model or the layers.

/** A model, a layer, or a list of them. */
export type MoESource = layers.Layer | readonly layers.Layer[];

/** The MoE layers of a model, those of models within it included, in order and each once. */
export function moeLayers(source: MoESource): MoELayer[] {
  const found = [source].flat().flatMap((layer) => {
    if (layer instanceof LayersModel) {
      return moeLayers(layer.layers);
    }
    return layer instanceof MoELayer ? [layer] : [];
  });
  return [...new Set(found)];
}

/**
 * The sum of the load-balancing losses of the forward pass that ran last in training, of all layers.
 *
 * ```js
 * // Within a training step of one's own:
 * const y = model.apply(x, {training: true});
 * const loss = tf.add(tf.losses.meanSquaredError(labels, y), layers.batchedLoadBalancingLoss(model));
 * // And after it:
 * layers.clearLoadBalancingLoss(model);
 * ```
 *
 * Differentiable within that pass. Outside of a gradient, as of `tf.variableGrads`, it has the last
 * call of each layer alone, since nothing there tells one pass from the next. After a forward pass
 * that is not training it is 0 (MegaBlocks fails).
 *
 * @see megablocks.layers.moe.batched_load_balancing_loss
 */
export function batchedLoadBalancingLoss(source: MoESource): Scalar {
  return total(moeLayers(source).flatMap(({loadBalancingLosses}) => loadBalancingLosses.peek()));
}

/**
 * Forgets the load-balancing losses that wait.
 *
 * @see megablocks.layers.moe.clear_load_balancing_loss
 */
export function clearLoadBalancingLoss(source: MoESource) {
  moeLayers(source).forEach(({loadBalancingLosses}) => loadBalancingLosses.clear());
}

/**
 * The sum of the router z-losses, as `batchedLoadBalancingLoss` (MegaBlocks: a vector, one a layer).
 *
 * @see megablocks.layers.router.batched_router_zloss
 */
export function batchedRouterZloss(source: MoESource): Scalar {
  return total(moeLayers(source).flatMap(({routerZlosses}) => routerZlosses.peek()));
}

/**
 * Forgets the router z-losses that wait.
 *
 * @see megablocks.layers.router.clear_router_zloss
 */
export function clearRouterZloss(source: MoESource) {
  moeLayers(source).forEach(({routerZlosses}) => routerZlosses.clear());
}

function total(losses: readonly Scalar[]): Scalar {
  // One by one: an addN of many binds more buffers than some GPUs have.
  return tidy(() => losses.reduce((sum, loss) => add(sum, loss), scalar(0)));
}
