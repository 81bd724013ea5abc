import {serialization, type Tensor, type Tensor3D} from '@tensorflow/tfjs-core';
import {layers, type Shape} from '@tensorflow/tfjs-layers';
import {causalAttention} from '../ops/causal_attention';
import {assertCount} from '../src/asserts';
import type {LayerArgs} from './arguments';
import {assertInputShape, type LayerInputs, onlyInput} from './only_input';

const OWNER = 'causalAttention';

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
    assertCount(OWNER, 'numHeads', config.numHeads, {min: 1});
    this.numHeads = config.numHeads;
  }

  protected override assertInputCompatibility(inputs: LayerInputs) {
    const divisor = 3 * this.numHeads;
    assertInputShape(
      OWNER,
      inputs,
      `rank 3 and a last axis that 3 * numHeads, ${divisor}, divides`,
      ({length, 2: width}) => length === 3 && width != null && width % divisor === 0,
    );
  }

  override call(inputs: Tensor | Tensor[]): Tensor {
    return causalAttention(onlyInput(OWNER, inputs) as Tensor3D, this.numHeads);
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
