import {matMul, reshape, serialization, Tensor, type Tensor2D} from '@tensorflow/tfjs-core';
import {
  initializers,
  layers,
  type LayerVariable,
  type Shape,
  type SymbolicTensor,
} from '@tensorflow/tfjs-layers';
import {embedding} from '../ops/embedding';
import {assertCount, assertNumber} from '../src/asserts';
import {tfjsSeed} from '../src/random';
import type {LayerArgs} from './arguments';
import {assertInputShape, type LayerInputs, onlyInput} from './only_input';

const OWNER = 'reversibleEmbedding';

export interface ReversibleEmbeddingArgs extends LayerArgs {
  /** V: how many tokens there are. */
  vocabSize: number;
  /** H: the length of an embedding. */
  hiddenSize: number;
  /** The standard deviation of the table at the start, 0.02 by default. */
  initStd?: number;
  /** Makes the start the same every time. */
  seed?: number;
}

/**
 * The token embedding and, applied a second time, the output layer that shares its weights: int32
 * token ids [batch, T] become embeddings [batch, T, H], and hidden states [batch, T, H] become logits
 * [batch, T, V], their products with every embedding.
 *
 * ```js
 * const tokens = layers.reversibleEmbedding({vocabSize: 2048, hiddenSize: 128});
 * const hidden = tokens.apply(ids);
 * const logits = tokens.apply(hidden);
 * ```
 */
export class ReversibleEmbedding extends layers.Layer {
  /** @nocollapse */
  static className = 'MegaBlocksReversibleEmbedding';
  private readonly vocabSize: number;
  private readonly hiddenSize: number;
  private readonly initStd: number;
  private readonly seed: number | undefined;
  private table!: LayerVariable;

  constructor(config: ReversibleEmbeddingArgs) {
    super(config);
    assertCount(OWNER, 'vocabSize', config.vocabSize, {min: 1});
    assertCount(OWNER, 'hiddenSize', config.hiddenSize, {min: 1});
    this.vocabSize = config.vocabSize;
    this.hiddenSize = config.hiddenSize;
    this.initStd = config.initStd ?? 0.02;
    this.seed = config.seed;
    assertNumber(OWNER, 'initStd', this.initStd, {min: 0});
  }

  /**
   * tf.layers counts every application as a use, of which a model that is disposed of gives back one. What is
   * made of the embeddings is in a model with them, so its application is no other use.
   */
  override apply(...args: Parameters<layers.Layer['apply']>): ReturnType<layers.Layer['apply']> {
    const output = super.apply(...args);
    const input = onlyInput(OWNER, args[0] as LayerInputs);
    if (!(input instanceof Tensor) && comesFrom(this, input)) {
      this._refCount!--;
    }
    return output;
  }

  protected override assertInputCompatibility(inputs: LayerInputs) {
    assertInputShape(
      OWNER,
      inputs,
      `shape [batch, T] or [batch, T, ${this.hiddenSize}]`,
      (shape) => shape.length === 2 || (this.isHidden(shape) && shape[2] === this.hiddenSize),
    );
  }

  override build(inputShape: Shape | Shape[]) {
    this.table = this.addWeight(
      'embeddings',
      [this.vocabSize, this.hiddenSize],
      'float32',
      initializers.randomNormal({mean: 0, stddev: this.initStd, seed: tfjsSeed(this.seed)}),
    );
    super.build(inputShape);
  }

  override call(inputs: Tensor | Tensor[]): Tensor {
    const x = onlyInput(OWNER, inputs);
    const table = this.getTable();
    if (!this.isHidden(x.shape)) {
      return embedding(table, x);
    }
    const rows = reshape(x, [-1, this.hiddenSize]);
    return reshape(matMul(rows, table, false, true), this.computeOutputShape(x.shape) as number[]);
  }

  /** The embeddings of all tokens, [V, H], through which gradients flow to them. */
  getTable(): Tensor2D {
    return this.table.read() as Tensor2D;
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    const shape = inputShape as Shape;
    return this.isHidden(shape)
      ? [...shape.slice(0, -1), this.vocabSize]
      : [...shape, this.hiddenSize];
  }

  override getConfig(): serialization.ConfigDict {
    const {vocabSize, hiddenSize, initStd, seed} = this;
    return {...super.getConfig(), vocabSize, hiddenSize, initStd, ...(seed == null ? {} : {seed})};
  }

  /** Ids have rank 2, hidden states rank 3. */
  private isHidden(shape: Shape): boolean {
    return shape.length === 3;
  }
}
serialization.registerClass(ReversibleEmbedding);

/** Whether a layer is among those that made a symbolic tensor. */
function comesFrom(
  layer: layers.Layer,
  tensor: SymbolicTensor,
  seen = new Set<SymbolicTensor>(),
): boolean {
  if (seen.has(tensor)) {
    return false;
  }
  seen.add(tensor);
  return (
    tensor.sourceLayer === layer || tensor.inputs.some((input) => comesFrom(layer, input, seen))
  );
}
