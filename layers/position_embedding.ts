import {add, serialization, slice, type Tensor} from '@tensorflow/tfjs-core';
import {initializers, layers, type LayerVariable, type Shape} from '@tensorflow/tfjs-layers';
import {assert, assertCount, assertNumber} from '../src/asserts';
import {tfjsSeed} from '../src/random';
import type {LayerArgs} from './arguments';
import {assertInputShape, type LayerInputs, onlyInput} from './only_input';

const OWNER = 'positionEmbedding';

export interface PositionEmbeddingArgs extends LayerArgs {
  /** The longest sequence. */
  maxLength: number;
  /** The standard deviation at the start, 0.02 by default. */
  initStd?: number;
  /** Makes the start the same every time. */
  seed?: number;
}

/** Adds a learned embedding of each position: [batch, T, H] to the same, T up to `maxLength`. */
export class PositionEmbedding extends layers.Layer {
  /** @nocollapse */
  static className = 'MegaBlocksPositionEmbedding';
  private readonly maxLength: number;
  private readonly initStd: number;
  private readonly seed: number | undefined;
  private table?: LayerVariable;

  constructor(config: PositionEmbeddingArgs) {
    super(config);
    assertCount(OWNER, 'maxLength', config.maxLength, {min: 1});
    this.maxLength = config.maxLength;
    this.initStd = config.initStd ?? 0.02;
    this.seed = config.seed;
    assertNumber(OWNER, 'initStd', this.initStd, {min: 0});
  }

  protected override assertInputCompatibility(inputs: LayerInputs) {
    const built = this.table?.shape[1];
    assertInputShape(
      OWNER,
      inputs,
      `shape [batch, T, ${built ?? 'a known size'}]`,
      ({length, 2: size}) => length === 3 && size != null && size === (built ?? size),
    );
  }

  override build(inputShape: Shape | Shape[]) {
    const hiddenSize = (inputShape as Shape).at(-1)!;
    this.table = this.addWeight(
      'embeddings',
      [this.maxLength, hiddenSize],
      'float32',
      initializers.randomNormal({mean: 0, stddev: this.initStd, seed: tfjsSeed(this.seed)}),
    );
    super.build(inputShape);
  }

  override call(inputs: Tensor | Tensor[]): Tensor {
    const x = onlyInput(OWNER, inputs);
    const length = x.shape[1]!;
    assert(
      length <= this.maxLength,
      () => `${OWNER}: inputs must have up to ${this.maxLength} positions, got ${length}`,
    );
    return add(x, slice(this.table!.read(), [0, 0], [length, -1]));
  }

  override computeOutputShape<S>(inputShape: S): S {
    return inputShape;
  }

  override getConfig(): serialization.ConfigDict {
    const {maxLength, initStd, seed} = this;
    return {...super.getConfig(), maxLength, initStd, ...(seed == null ? {} : {seed})};
  }
}
serialization.registerClass(PositionEmbedding);
