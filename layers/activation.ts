import {serialization, type Tensor} from '@tensorflow/tfjs-core';
import {layers} from '@tensorflow/tfjs-layers';
import {type ActivationFunction, type ActivationIdentifier, resolveActivation} from './activations';
import type {LayerArgs} from './arguments';
import {onlyInput} from './only_input';

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
    this.activation = resolveActivation(config.activation, 'activation: activation');
    this.supportsMasking = true;
  }

  override call(inputs: Tensor | Tensor[]): Tensor {
    return this.activation(onlyInput('activation', inputs));
  }

  override computeOutputShape<S>(inputShape: S): S {
    return inputShape;
  }

  override getConfig(): serialization.ConfigDict {
    const activation = typeof this.identifier === 'string' ? this.identifier : null;
    return {...super.getConfig(), activation};
  }
}
serialization.registerClass(Activation);
