import {
  dispose,
  engine,
  type NamedTensorMap,
  Optimizer,
  serialization,
  type Tensor,
  tidy,
  type Variable,
  variable,
  zerosLike,
} from '@tensorflow/tfjs-core';
import {adamW} from '../ops/adamw';
import {assert} from '../src/asserts';

/** A tensor with its name: a gradient, or a part of an optimizer's state. */
export type NamedTensor = Awaited<ReturnType<Optimizer['getWeights']>>[number];

export interface AdamWConfig {
  learningRate: number;
  /** Default 0.9. */
  beta1?: number;
  /** Default 0.999. */
  beta2?: number;
  /** Default 1e-8. */
  epsilon?: number;
  /** Of matrices; biases, norms and embeddings do not decay. Default 0. */
  weightDecay?: number;
}

interface Moments {
  first: Variable;
  second: Variable;
}

/**
 * AdamW for `model.compile`, on the op `adamW`: one kernel a parameter and step. With no weight decay
 * it is Adam.
 *
 * Its state, by `getWeights`, is the number of steps and both moments of every parameter: a run that
 * is restored from it takes the very steps of one that was not interrupted.
 *
 * @see torch.optim.AdamW
 */
export class AdamWOptimizer extends Optimizer {
  /** @nocollapse */
  static readonly className = 'MegaBlocksAdamW';
  private readonly config: Required<AdamWConfig>;
  private readonly moments = new Map<string, Moments>();
  /** Moments that were set and whose parameter has not been seen yet, in order. */
  private restored: Moments[] = [];

  constructor(config: AdamWConfig) {
    super();
    this.config = {beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, ...config};
  }

  get learningRate(): number {
    return this.config.learningRate;
  }

  setLearningRate(learningRate: number) {
    this.config.learningRate = learningRate;
  }

  override applyGradients(gradients: NamedTensorMap | NamedTensor[]) {
    const named: NamedTensor[] = Array.isArray(gradients)
      ? gradients
      : Object.entries(gradients).map(([name, tensor]) => ({name, tensor}));
    const step = this.iterations + 1;
    for (const {name, tensor} of named) {
      // A parameter that the loss does not depend on has no gradient.
      if (tensor != null) {
        this.update(name, tensor, step);
      }
    }
    this.incrementIterations();
  }

  private update(name: string, gradient: Tensor, step: number) {
    const value = engine().registeredVariables[name];
    const {first, second} = this.momentsOf(name, value);
    const weightDecay = decays(name, value) ? this.config.weightDecay : 0;
    const updated = tidy(() =>
      adamW<Tensor>(value, gradient, first, second, {...this.config, weightDecay, step}),
    );
    [value, first, second].forEach((variable, i) => variable.assign(updated[i]));
    dispose(updated);
  }

  /** A parameter seen for the first time takes the next of the restored moments, or zeros. */
  private momentsOf(name: string, value: Tensor): Moments {
    const found = this.moments.get(name);
    if (found != null) {
      return found;
    }
    const zero = () => tidy(() => variable(zerosLike(value), false)) as Variable;
    const created = this.restored.shift() ?? {first: zero(), second: zero()};
    this.moments.set(name, created);
    return created;
  }

  override async getWeights(): Promise<NamedTensor[]> {
    const moments = this.allMoments().flatMap(({first, second}, i) => [
      {name: `${i}/m`, tensor: first as Tensor},
      {name: `${i}/v`, tensor: second as Tensor},
    ]);
    return [await this.saveIterations(), ...moments];
  }

  /**
   * @param weights What `getWeights` gave: the steps, then both moments of every parameter, in the
   *     order of the parameters. (Not by name: tf.layers gives a model that is built again others.)
   */
  override async setWeights(weights: NamedTensor[]): Promise<void> {
    const moments = await this.extractIterations(weights);
    assert(
      moments.length % 2 === 0,
      () => `AdamW: weights must be the steps and pairs of moments, got ${weights.length} tensors`,
    );
    this.disposeMoments();
    const own = ({tensor}: NamedTensor) => variable(tensor, false) as Variable;
    this.restored = Array.from({length: moments.length / 2}, (_, i) => ({
      first: own(moments[2 * i]),
      second: own(moments[2 * i + 1]),
    }));
  }

  override dispose() {
    super.dispose();
    this.disposeMoments();
  }

  private disposeMoments() {
    dispose(this.allMoments().flatMap(({first, second}) => [first, second]));
    this.moments.clear();
    this.restored = [];
  }

  private allMoments(): Moments[] {
    return [...this.moments.values(), ...this.restored];
  }

  override getConfig(): serialization.ConfigDict {
    return {...this.config};
  }

  static override fromConfig<T extends serialization.Serializable>(
    cls: serialization.SerializableConstructor<T>,
    config: serialization.ConfigDict,
  ): T {
    return new cls(config);
  }
}
serialization.registerClass(AdamWOptimizer as never);

/** Matrices decay; what has one axis (biases, norms), and embeddings, do not. */
function decays(name: string, {rank}: Tensor): boolean {
  return rank > 1 && !/embedding/i.test(name);
}
