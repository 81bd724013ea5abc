import {serialization, type Tensor} from '@tensorflow/tfjs-core';
import {layers, type Shape} from '@tensorflow/tfjs-layers';
import {causalAttention} from '../ops/causal_attention';
import {assertCount} from '../src/asserts';
import type {LayerArgs} from './arguments';
import {onlyInput} from './only_input';

export interface CausalAttentionArgs extends LayerArgs {
  /** Heads that the hidden size is divided into. */
  numHeads: number;
}

/**
 * Applies the op `causalAttention`: [batch, T, 3 * H] (queries, keys and values side by side) to
 * [batch, T, H]. It has no weights: the projections before and after are dense layers.
 */
export class CausalAttention extends layers.Layer {
  /** @nocollapse */
  static className = 'MegaBlocksCausalAttention';
  private readonly numHeads: number;

  constructor(config: CausalAttentionArgs) {
    super(config);
    assertCount('causalAttention', 'numHeads', config.numHeads, {min: 1});
    this.numHeads = config.numHeads;
  }

  override call(inputs: Tensor | Tensor[]): Tensor {
    return causalAttention(onlyInput('causalAttention', inputs), this.numHeads);
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    const [batch, length, width] = inputShape as Shape;
    return [batch, length, width! / 3];
  }

  override getConfig(): serialization.ConfigDict {
    return {...super.getConfig(), numHeads: this.numHeads};
  }
}
serialization.registerClass(CausalAttention);
