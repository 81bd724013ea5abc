import {serialization, type Tensor, tidy} from '@tensorflow/tfjs-core';
import {adamW} from '../../ops/adamw';
import {assertNumber} from '../../src/asserts';
import {
  assign,
  MAX_BETA,
  type ParameterUpdate,
  TrainingOptimizer,
  type TrainingOptimizerConfig,
} from './training_optimizer';

export interface AdamWConfig extends TrainingOptimizerConfig {
  /** Default 0.9. */
  beta1?: number;
  /** Default 0.999. */
  beta2?: number;
  /** Default 1e-8. */
  epsilon?: number;
}

const OP = 'AdamWOptimizer';

/**
 * AdamW for `model.compile`, on the op `adamW`: one kernel a parameter and step. With no weight decay
 * it is Adam.
 *
 * ```js
 * const optimizer = new AdamWOptimizer({
 *   learningRate: {
 *     decayStyle: 'cosine', maxLearningRate: 6e-4, minLearningRate: 6e-5, warmupSteps: 200, decaySteps: 20000,
 *   },
 *   weightDecay: 0.01,
 *   clipNorm: 1,
 *   accumulationSteps: 4,
 * });
 * model.compile({optimizer, loss: 'meanSquaredError'});
 * ```
 *
 * @throws If a field is out of range.
 * @see Loshchilov and Hutter (2019); torch.optim.AdamW
 */
export class AdamWOptimizer extends TrainingOptimizer {
  /** @nocollapse */
  static readonly className = 'MegaBlocksAdamW';
  private readonly hyperparameters: {beta1: number; beta2: number; epsilon: number};

  constructor(config: AdamWConfig) {
    super(OP, config);
    const {beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8} = config;
    assertNumber(OP, 'beta1', beta1, {min: 0, max: MAX_BETA});
    assertNumber(OP, 'beta2', beta2, {min: 0, max: MAX_BETA});
    assertNumber(OP, 'epsilon', epsilon, {min: 0});
    this.hyperparameters = {beta1, beta2, epsilon};
  }

  protected override updateParameter({index, value, gradient, ...options}: ParameterUpdate) {
    const firstMoment = this.slots.get(index, 'm', value.shape);
    const secondMoment = this.slots.get(index, 'v', value.shape);
    const updated = tidy(() =>
      adamW<Tensor>(value, gradient, firstMoment, secondMoment, {
        ...this.hyperparameters,
        ...options,
      }),
    );
    assign([value, firstMoment, secondMoment], updated);
  }

  override getConfig(): serialization.ConfigDict {
    return {...super.getConfig(), ...this.hyperparameters};
  }
}
serialization.registerClass(AdamWOptimizer as never);
