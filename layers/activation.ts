import {serialization, type Tensor} from '@tensorflow/tfjs-core';
import {layers} from '@tensorflow/tfjs-layers';
import {
  type ActivationFunction,
  type ActivationIdentifier,
  resolveActivation,
  serializeActivation,
} from './activations';
import type {LayerArgs} from './arguments';
import {onlyInput} from './only_input';

const LABEL = 'activation: activation';

export interface ActivationArgs extends LayerArgs {
  /** As `activationFn` of `MoEArguments`; a layer with a function of one's own cannot be saved. */
  activation: ActivationIdentifier;
}

/**
 * What tf.layers.activation computes where it is elementwise, in one kernel where the op `activation`
 * has it.
 */
export class Activation extends layers.Layer {
  /** @nocollapse */
  static className = 'MegaBlocksActivation';
  private readonly identifier: ActivationIdentifier;
  private readonly activation: ActivationFunction;

  constructor(config: ActivationArgs) {
    super(config);
    this.identifier = config.activation;
    this.activation = resolveActivation(config.activation, LABEL);
    this.supportsMasking = true;
  }

  override call(inputs: Tensor | Tensor[]): Tensor {
    return this.activation(onlyInput('activation', inputs));
  }

  override computeOutputShape<S>(inputShape: S): S {
    return inputShape;
  }

  /**
   * The configuration that `fromConfig` makes the same layer of.
   *
   * @throws If the activation is a function, which a saved model cannot hold.
   */
  override getConfig(): serialization.ConfigDict {
    const activation = serializeActivation(this.identifier, LABEL);
    return {...super.getConfig(), activation};
  }
}
serialization.registerClass(Activation);
