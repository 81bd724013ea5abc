import {serialization, type Tensor, type Tensor1D} from '@tensorflow/tfjs-core';
import {initializers, layers, type LayerVariable, type Shape} from '@tensorflow/tfjs-layers';
import {layerNorm} from '../ops/layer_norm';
import type {LayerArgs} from './arguments';
import {assertInputShape, type LayerInputs, onlyInput} from './only_input';

const OWNER = 'layerNorm';

export interface LayerNormArgs extends LayerArgs {
  /** Added to the variance, 1e-5 by default. */
  epsilon?: number;
}

/** Layer normalization over the last axis by the op `layerNorm`; gamma begins at 1, beta at 0. */
export class LayerNorm extends layers.Layer {
  /** @nocollapse */
  static className = 'MegaBlocksLayerNorm';
  private readonly epsilon: number;
  private gamma!: LayerVariable;
  private beta!: LayerVariable;

  constructor(config: LayerNormArgs = {}) {
    super(config);
    this.epsilon = config.epsilon ?? 1e-5;
    this.supportsMasking = true;
  }

  protected override assertInputCompatibility(inputs: LayerInputs) {
    assertInputShape(OWNER, inputs, 'a last axis of a known size', (shape) => shape.at(-1) != null);
  }

  override build(inputShape: Shape | Shape[]) {
    const shape = [(inputShape as Shape).at(-1)!];
    this.gamma = this.addWeight('gamma', shape, 'float32', initializers.ones());
    this.beta = this.addWeight('beta', shape, 'float32', initializers.zeros());
    super.build(inputShape);
  }

  override call(inputs: Tensor | Tensor[]): Tensor {
    return layerNorm(
      onlyInput(OWNER, inputs),
      this.gamma.read() as Tensor1D,
      this.beta.read() as Tensor1D,
      this.epsilon,
    );
  }

  override computeOutputShape<S>(inputShape: S): S {
    return inputShape;
  }

  override getConfig(): serialization.ConfigDict {
    return {...super.getConfig(), epsilon: this.epsilon};
  }
}
serialization.registerClass(LayerNorm);
