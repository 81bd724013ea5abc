import {
  add,
  clone,
  dispose,
  div,
  engine,
  keep,
  minimum,
  mul,
  type NamedTensorMap,
  Optimizer,
  type Scalar,
  scalar,
  type serialization,
  type Tensor,
  tidy,
  type Variable,
} from '@tensorflow/tfjs-core';
import {assertCount, assertNumber, assertOneOf} from '../../src/asserts';
import {assertSchedule, learningRateAt, type LearningRateSchedule} from '../learning_rate_schedule';
import {globalNorm} from '../../ops/global_norm';
import {Slots} from './slots';
import {DECAY_RULES, type DecayRule, decays} from './weight_decay';

/** A tensor with its name: a gradient, or a part of an optimizer's state. */
export type NamedTensor = Awaited<ReturnType<Optimizer['getWeights']>>[number];

/** What all optimizers here take. */
export interface TrainingOptimizerConfig {
  /** A number, or a schedule over the updates. */
  learningRate: number | LearningRateSchedule;
  /**
   * Decoupled: before its update a parameter shrinks by this part of itself, times the learning rate.
   * Default 0.
   */
  weightDecay?: number;
  /**
   * Which parameters decay: 'matrices', all but biases, norms and embeddings (the default), or 'all'.
   */
  decayRule?: DecayRule;
  /**
   * Where the global norm of the gradients is larger, they are all scaled down to it. Each parameter
   * counts once, one of all experts too. Default: no limit.
   */
  clipNorm?: number;
  /**
   * Micro-batches an update: so many gradients are averaged before the parameters change. Where micro-batches
   * are of one size and the loss is a mean over the batch, that is the gradient of the large batch, but
   * for rounding; the load-balancing loss of MoE layers is taken within each micro-batch, as in
   * Megatron-LM. Default 1.
   */
  accumulationSteps?: number;
}

/** One parameter at the time of an update. */
export interface ParameterUpdate {
  /** Its place among the parameters, which names its state. */
  index: number;
  value: Variable;
  gradient: Tensor;
  /**
   * Multiplies the gradient, on the device: clipping and the mean over micro-batches. NaN or infinite
   * where any gradient is: then nothing must change.
   */
  gradientScale: Scalar;
  learningRate: number;
  /** 0 where the parameter does not decay. */
  weightDecay: number;
  /** How many updates there were, with this one. */
  step: number;
}

/** What the decay of an average is below: the largest number below 1. */
export const MAX_BETA = 1 - Number.EPSILON / 2;

const ACCUMULATED = 'accumulated';
const MICRO_BATCHES = 'micro_batches';
const SPOILED = 'spoiled';
/** PyTorch's: what keeps the division finite where all gradients are zero. */
const CLIP_EPSILON = 1e-6;

/**
 * What the optimizers here share, for `model.compile`, `fit`, `save({includeOptimizer: true})` and `load`:
 * a learning rate by a schedule, decoupled weight decay by a rule, clipping by the global norm, and the
 * accumulation of gradients. A subclass has the rule of one parameter's update.
 *
 * An update whose loss or gradients are not all finite changes no parameter and no state; `settleUpdate` tells.
 *
 * The state, by `getWeights`, is the number of updates and the slots of every parameter, by the order of
 * the parameters (tf.layers gives a model that is built again other names). An optimizer that is
 * restored from it takes the very steps of one that was not interrupted.
 */
export abstract class TrainingOptimizer extends Optimizer {
  protected readonly slots: Slots;
  private readonly indices = new Map<string, number>();
  private rate: number | LearningRateSchedule;
  private readonly weightDecay: number;
  private readonly decayRule: DecayRule;
  private readonly clipNorm?: number;
  /** Micro-batches an update. */
  readonly accumulationSteps: number;
  private microBatches = 0;
  private lastNorm?: Scalar;
  /** 0, or NaN where a loss since the last update was not finite. */
  private spoiled?: Scalar;

  /**
   * @param op What errors call the optimizer.
   * @throws If a field is out of range.
   */
  protected constructor(
    private readonly op: string,
    config: TrainingOptimizerConfig,
  ) {
    super();
    this.slots = new Slots(op);
    assertLearningRate(op, config.learningRate);
    this.rate = config.learningRate;
    this.weightDecay = config.weightDecay ?? 0;
    this.decayRule = config.decayRule ?? 'matrices';
    this.clipNorm = config.clipNorm ?? undefined;
    this.accumulationSteps = config.accumulationSteps ?? 1;
    assertNumber(op, 'weightDecay', this.weightDecay, {min: 0});
    assertOneOf(op, 'decayRule', this.decayRule, DECAY_RULES);
    assertCount(op, 'accumulationSteps', this.accumulationSteps, {min: 1});
    if (this.clipNorm != null) {
      assertNumber(op, 'clipNorm', this.clipNorm, {min: 0});
    }
  }

  /** The learning rate of the next update. */
  get learningRate(): number {
    return typeof this.rate === 'number' ? this.rate : learningRateAt(this.rate, this.iterations);
  }

  /** Takes the place of the schedule. */
  set learningRate(learningRate: number) {
    assertLearningRate(this.op, learningRate);
    this.rate = learningRate;
  }

  /** How many of the micro-batches of the next update there were. */
  get accumulatedMicroBatches(): number {
    return this.microBatches;
  }

  /** What `minimize` does before `applyGradients`: a loss that is not finite spoils the update as well. */
  override computeGradients(
    f: () => Scalar,
    variables?: Variable[],
  ): {value: Scalar; grads: NamedTensorMap} {
    const result = super.computeGradients(f, variables);
    const before = this.spoiled;
    this.spoiled = tidy(() => keep(add(mul(result.value, 0), before ?? 0)));
    before?.dispose();
    return result;
  }

  override applyGradients(gradients: NamedTensorMap | NamedTensor[]) {
    const parameters = this.parametersOf(gradients);
    if (this.accumulationSteps > 1) {
      this.accumulate(parameters);
      if (this.microBatches < this.accumulationSteps) {
        return;
      }
    }
    this.update(parameters);
    this.slots.remove(ACCUMULATED);
    this.microBatches = 0;
    this.spoiled?.dispose();
    this.spoiled = undefined;
    this.incrementIterations();
  }

  /** The parameters that the loss depends on, with their gradients. */
  private parametersOf(gradients: NamedTensorMap | NamedTensor[]) {
    const named: NamedTensor[] = Array.isArray(gradients)
      ? gradients
      : Object.entries(gradients).map(([name, tensor]) => ({name, tensor}));
    return named
      .map(({name, tensor}) => ({name, index: this.indexOf(name), gradient: tensor}))
      .filter(({gradient}) => gradient != null);
  }

  private indexOf(name: string): number {
    const index = this.indices.get(name) ?? this.indices.size;
    this.indices.set(name, index);
    return index;
  }

  private accumulate(parameters: {index: number; gradient: Tensor}[]) {
    for (const parameter of parameters) {
      const {index, gradient} = parameter;
      const sum = this.slots.get(index, ACCUMULATED, gradient.shape);
      // The first takes the place of the zeros, whose addition would cost a pass.
      tidy(() => sum.assign(this.microBatches === 0 ? gradient : add(sum, gradient)));
      parameter.gradient = sum;
    }
    this.microBatches++;
  }

  private update(parameters: {name: string; index: number; gradient: Tensor}[]) {
    const {norm, gradientScale} = tidy(() =>
      this.normAndScale(parameters.map(({gradient}) => gradient)),
    );
    const {learningRate} = this;
    for (const {name, index, gradient} of parameters) {
      const value = engine().registeredVariables[name];
      const weightDecay = decays(this.decayRule, name, value) ? this.weightDecay : 0;
      const step = this.iterations + 1;
      this.updateParameter({
        ...{index, value, gradient, gradientScale, learningRate, weightDecay, step},
      });
    }
    gradientScale.dispose();
    this.lastNorm?.dispose();
    this.lastNorm = keep(norm);
  }

  private normAndScale(gradients: Tensor[]): {norm: Scalar; gradientScale: Scalar} {
    const count = scalar(this.accumulationSteps);
    const norm = add<Scalar>(div(globalNorm(gradients), count), this.spoiled ?? 0);
    const clipped =
      this.clipNorm == null
        ? scalar(1)
        : minimum<Scalar>(1, div(this.clipNorm, add(norm, CLIP_EPSILON)));
    // 0 times what is not finite is NaN: one such gradient spoils the scale of all.
    return {norm, gradientScale: add(div(clipped, count), mul(norm, 0))};
  }

  /** Changes the value of one parameter, and its slots. */
  protected abstract updateParameter(update: ParameterUpdate): void;

  /**
   * Reads the norm of the last update's gradients. Where it is not finite the update has changed
   * nothing, and is now not counted either: the next one has its learning rate. To be called once
   * after each batch, or not at all: then an update that is skipped counts as a step.
   *
   * @returns The norm; undefined where no update came since the last call.
   */
  async settleUpdate(): Promise<number | undefined> {
    const norm = this.lastNorm;
    if (norm == null) {
      return undefined;
    }
    this.lastNorm = undefined;
    const [value] = await norm.data();
    norm.dispose();
    if (!Number.isFinite(value)) {
      this.iterations_ = this.iterations - 1;
    }
    return value;
  }

  override async getWeights(): Promise<NamedTensor[]> {
    const unfinished: NamedTensor[] = [];
    if (this.microBatches > 0) {
      unfinished.push({name: MICRO_BATCHES, tensor: scalar(this.microBatches, 'int32')});
    }
    if (this.spoiled != null) {
      unfinished.push({name: SPOILED, tensor: clone(this.spoiled)});
    }
    return [await this.saveIterations(), ...unfinished, ...this.slots.list()];
  }

  /** @param weights What `getWeights` gave. The tensors stay the caller's. */
  override async setWeights(weights: NamedTensor[]): Promise<void> {
    const state = await this.extractIterations(weights);
    const {[MICRO_BATCHES]: microBatches, [SPOILED]: spoiled} = Object.fromEntries(
      state.map(({name, tensor}) => [name, tensor as Tensor | undefined]),
    );
    this.microBatches = microBatches == null ? 0 : (await microBatches.data())[0];
    this.spoiled?.dispose();
    this.spoiled = spoiled && keep(clone(spoiled as Scalar));
    this.slots.restore(state.filter(({name}) => name !== MICRO_BATCHES && name !== SPOILED));
  }

  override dispose() {
    super.dispose();
    this.slots.clear();
    dispose([this.lastNorm, this.spoiled].filter((x) => x != null));
    this.lastNorm = this.spoiled = undefined;
  }

  /** Plain data that makes the same optimizer. */
  override getConfig(): serialization.ConfigDict {
    return {
      learningRate: typeof this.rate === 'number' ? this.rate : {...this.rate},
      weightDecay: this.weightDecay,
      decayRule: this.decayRule,
      ...(this.clipNorm != null && {clipNorm: this.clipNorm}),
      accumulationSteps: this.accumulationSteps,
    };
  }

  static override fromConfig<T extends serialization.Serializable>(
    cls: serialization.SerializableConstructor<T>,
    config: serialization.ConfigDict,
  ): T {
    return new cls(config);
  }
}

/** Gives variables new values, and frees those that were computed. */
export function assign(variables: readonly Variable[], values: readonly Tensor[]) {
  variables.forEach((variable, i) => variable.assign(values[i]));
  dispose(values as Tensor[]);
}

function assertLearningRate(op: string, rate: number | LearningRateSchedule) {
  if (typeof rate === 'object' && rate != null) {
    assertSchedule(op, rate);
  } else {
    assertNumber(op, 'learningRate', rate, {min: 0});
  }
}
