import {
  add,
  broadcastTo,
  div,
  expandDims,
  fill,
  isFinite as isFiniteTensor,
  matMul,
  maximum,
  mean,
  mul,
  rsqrt,
  serialization,
  sqrt,
  square,
  squeeze,
  sub,
  type Tensor,
  tidy,
  type Variable,
  where,
} from '@tensorflow/tfjs-core';
import {assertBoolean, assertNumber} from '../../src/asserts';
import {
  assign,
  MAX_BETA,
  type ParameterUpdate,
  TrainingOptimizer,
  type TrainingOptimizerConfig,
} from './training_optimizer';

export interface AdafactorConfig extends TrainingOptimizerConfig {
  /** Momentum, which costs a copy of the parameters. Default 0: none. */
  beta1?: number;
  /** The second moment's decay at step t is 1 - t ** beta2Decay. Default -0.8. */
  beta2Decay?: number;
  /** Added to the squared gradients. Default 1e-30. */
  epsilon1?: number;
  /** The least scale of a parameter. Default 1e-3. */
  epsilon2?: number;
  /** The root mean square that an update has at most, before the learning rate. Default 1. */
  clipThreshold?: number;
  /** Whether the learning rate is relative to the root mean square of the parameter. Default true. */
  scaleParameter?: boolean;
  /** Whether the learning rate is at most 1 / sqrt(step). Default false. */
  relativeStep?: boolean;
}

const OP = 'AdafactorOptimizer';

type Hyperparameters = Required<Omit<AdafactorConfig, keyof TrainingOptimizerConfig>>;

const DEFAULTS: Hyperparameters = {
  beta1: 0,
  beta2Decay: -0.8,
  epsilon1: 1e-30,
  epsilon2: 1e-3,
  clipThreshold: 1,
  scaleParameter: true,
  relativeStep: false,
};

/**
 * Adafactor for `model.compile`: of the second moment of a matrix it keeps the means over the rows and
 * over the columns alone, so that its state is a small part of the parameters. What has more than two
 * axes, such as the experts of a capacity MoE, is one matrix a place of the leading axes.
 *
 * ```js
 * model.compile({optimizer: new AdafactorOptimizer({learningRate: 0.01}), loss: 'meanSquaredError'});
 * ```
 *
 * @throws If a field is out of range.
 * @see Shazeer and Stern, Adafactor: Adaptive Learning Rates with Sublinear Memory Cost (2018);
 *     torch.optim.Adafactor, which has scaleParameter and relativeStep true
 */
export class AdafactorOptimizer extends TrainingOptimizer {
  /** @nocollapse */
  static readonly className = 'MegaBlocksAdafactor';
  private readonly hyperparameters: Hyperparameters;

  constructor(config: AdafactorConfig) {
    super(OP, config);
    const chosen = {...DEFAULTS};
    for (const name of Object.keys(DEFAULTS) as (keyof Hyperparameters)[]) {
      Object.assign(chosen, config[name] != null && {[name]: config[name]});
    }
    assertNumber(OP, 'beta1', chosen.beta1, {min: 0, max: MAX_BETA});
    assertNumber(OP, 'beta2Decay', chosen.beta2Decay, {min: -1, max: 0});
    assertNumber(OP, 'epsilon1', chosen.epsilon1, {min: 0});
    assertNumber(OP, 'epsilon2', chosen.epsilon2, {min: 0});
    assertNumber(OP, 'clipThreshold', chosen.clipThreshold, {min: Number.MIN_VALUE});
    assertBoolean(OP, 'scaleParameter', chosen.scaleParameter);
    assertBoolean(OP, 'relativeStep', chosen.relativeStep);
    this.hyperparameters = chosen;
  }

  protected override updateParameter(update: ParameterUpdate) {
    const variables = [update.value, ...this.slotsOf(update)];
    const updated = tidy(() => {
      const gradient = mul(update.gradient, update.gradientScale);
      // The scale spoils all elements or none; where it does, none is finite.
      const isUsable = isFiniteTensor(gradient);
      const isScaleUsable = isFiniteTensor(update.gradientScale);
      return this.newValues(update, gradient).map((value, i) => {
        const condition =
          String(value.shape) === String(gradient.shape)
            ? isUsable
            : broadcastTo(isScaleUsable, value.shape);
        return where(condition, value, variables[i]);
      });
    });
    assign(variables, updated);
  }

  /** The slots of a parameter, in the order of `newValues`. */
  private slotsOf({index, value: {shape}}: ParameterUpdate): Variable[] {
    const moments =
      shape.length > 1
        ? [
            this.slots.get(index, 'v_row', shape.slice(0, -1)),
            this.slots.get(index, 'v_column', [...shape.slice(0, -2), shape.at(-1)!]),
          ]
        : [this.slots.get(index, 'v', shape)];
    return this.hyperparameters.beta1 > 0
      ? [...moments, this.slots.get(index, 'm', shape)]
      : moments;
  }

  /** The new value, then the new slots. */
  private newValues(update: ParameterUpdate, gradient: Tensor): Tensor[] {
    const {value, learningRate, weightDecay, step} = update;
    const {beta1, epsilon2, clipThreshold, scaleParameter, relativeStep} = this.hyperparameters;
    const moments = this.secondMoments(update, square(gradient));
    const normal = mul(gradient, inverseRoot(moments));
    const limited = div(normal, maximum(1, div(rootMeanSquare(normal), clipThreshold)));
    const rate = relativeStep ? Math.min(learningRate, 1 / Math.sqrt(step)) : learningRate;
    const direction = beta1 > 0 ? average(this.slotsOf(update).at(-1)!, limited, beta1) : limited;
    const size = scaleParameter ? mul(rate, maximum(epsilon2, rootMeanSquare(value))) : rate;
    const decayed = mul(value, 1 - learningRate * weightDecay);
    return [sub(decayed, mul(size, direction)), ...moments, ...(beta1 > 0 ? [direction] : [])];
  }

  private secondMoments(update: ParameterUpdate, squared: Tensor): Tensor[] {
    const {beta2Decay, epsilon1} = this.hyperparameters;
    const beta2 = 1 - update.step ** beta2Decay;
    const slots = this.slotsOf(update);
    const means = squared.rank > 1 ? [mean(squared, -1), meanOfRows(squared)] : [squared];
    return means.map((x, i) => average(slots[i], add(x, epsilon1), beta2));
  }

  override getConfig(): serialization.ConfigDict {
    return {...super.getConfig(), ...this.hyperparameters};
  }
}
serialization.registerClass(AdafactorOptimizer as never);

/** One over the square root of the second moment; that of a matrix is rows * columns / mean(rows). */
function inverseRoot(moments: Tensor[]): Tensor {
  if (moments.length === 1) {
    return rsqrt(moments[0]);
  }
  const [rows, columns] = moments;
  const ofRows = rsqrt(div(rows, mean(rows, -1, true)));
  return mul(expandDims(ofRows, -1), expandDims(rsqrt(columns), -2));
}

/** The mean over the last axis but one, as a product: sums over such an axis are slow. */
function meanOfRows(x: Tensor): Tensor {
  const rows = x.shape.at(-2)!;
  const weights = fill([...x.shape.slice(0, -2), 1, rows], 1 / rows);
  return squeeze(matMul(weights, x), [-2]);
}

function average(old: Tensor, next: Tensor, beta: number): Tensor {
  return add(mul(old, beta), mul(next, 1 - beta));
}

function rootMeanSquare(x: Tensor): Tensor {
  return sqrt(mean(square(x)));
}
