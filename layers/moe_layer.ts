import {
  add,
  clone,
  keep,
  mul,
  reshape,
  type Scalar,
  scalar,
  type serialization,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  tidy,
} from '@tensorflow/tfjs-core';
import {layers, type LayerVariable, type Shape, type SymbolicTensor} from '@tensorflow/tfjs-layers';
import {assert, showShape} from '../src/asserts';
import {
  type ActivationFunction,
  activationKernel,
  resolveActivation,
  serializeActivation,
} from './activations';
import {type MoEArguments, type ResolvedArguments, resolveArguments} from './arguments';
import {assignExperts, type ExpertAssignment} from '../ops/expert_assignment';
import type {ExpertMlpOptions, ExpertWeights} from './experts/mlp';
import {inShape} from '../src/in_shape';
import {serializeInitializer} from './initializers';
import {loadBalancingLoss} from '../ops/load_balancing_loss';
import {type ExpertWeightLayouts, weightSpecs} from './moe_weights';
import {onlyInput} from './only_input';
import {PassQueue} from './pass_queue';
import {jitter, route, type Routing} from './router';
import {routerZloss} from './router_zloss';
import {sharedExpert, type SharedExpertWeights} from './shared_expert';

/** What a layer shows of one call in training. The tensors are the layer's own. */
export interface RoutingRecord {
  /** The name of the layer. */
  layer: string;
  /** [T, E]. */
  scores: Tensor2D;
  /** [E], int32. */
  tokensPerExpert: Tensor1D;
  /** The most tokens that an expert takes; null where none are dropped. */
  expertCapacity: number | null;
  /** As they join the training loss; null where the layer has none. */
  loadBalancingLoss: Scalar | null;
  routerZloss: Scalar | null;
}

/**
 * What dMoE and MoE have in common: the router, the weights, the losses, the shared expert and the
 * bias. How the experts are computed is theirs.
 *
 * tf.layers tracks no layers inside of layers, so this one owns every weight, and its parts are
 * functions of them.
 */
export abstract class MoELayer extends layers.Layer {
  /** The load-balancing losses of the forward pass that wait to join the training loss. */
  readonly loadBalancingLosses = new PassQueue<Scalar>((loss) => loss.dispose());
  /** The router z-losses that wait likewise. */
  readonly routerZlosses = new PassQueue<Scalar>((loss) => loss.dispose());
  /** Are shown every call in training. */
  readonly routingObservers = new Set<(record: RoutingRecord) => void>();
  /** Are shown the experts of each token, [T, K], in every call. */
  readonly choiceObservers = new Set<(experts: Tensor2D) => void>();

  /** How often the jitter was drawn; a training that goes on elsewhere goes on from here. */
  jitterCalls = 0;

  protected readonly args: ResolvedArguments;
  private readonly activation: ActivationFunction;
  private readonly variables = new Map<string, LayerVariable>();
  private hiddenSize: number | null;

  /** @param owner What messages call the layer. */
  constructor(
    private readonly owner: string,
    config: MoEArguments,
  ) {
    super(config);
    this.args = resolveArguments(owner, config);
    this.activation = resolveActivation(this.args.activationFn);
    this.hiddenSize = this.args.hiddenSize;
    this.supportsMasking = true;
    for (const [weight, queue] of [
      [this.args.moeLossWeight, this.loadBalancingLosses],
      [this.args.moeZlossWeight, this.routerZlosses],
    ] as const) {
      if (weight > 0) {
        this.addLoss(() => takeLoss(queue));
      }
    }
  }

  /** How the experts' weights lie. */
  protected abstract expertWeightLayouts(hiddenSize: number): ExpertWeightLayouts;

  /** The most tokens that an expert takes of `numTokens`; null for all. */
  protected abstract expertCapacity(numTokens: number): number | null;

  /** The experts' output for the tokens `x`, [T, H], weighted and summed over each token's experts. */
  protected abstract runExperts(
    x: Tensor2D,
    assignment: ExpertAssignment,
    expertWeights: Tensor1D,
    weights: ExpertWeights,
    options: ExpertMlpOptions,
  ): Tensor2D;

  override build(inputShape: Shape | Shape[]) {
    const shape = singleShape(inputShape);
    this.assertShape(shape);
    this.hiddenSize = shape[shape.length - 1] as number;
    const layouts = this.expertWeightLayouts(this.hiddenSize);
    const specs = weightSpecs(this.args, this.hiddenSize, layouts);
    for (const [name, {shape, initializer}] of Object.entries(specs)) {
      this.variables.set(name, this.addWeight(name, shape, 'float32', initializer));
    }
    super.build(inputShape);
  }

  override call(inputs: Tensor | Tensor[], kwargs: {training?: boolean}): Tensor | Tensor[] {
    return tidy(() => {
      this.invokeCallHook(inputs, kwargs);
      const input = onlyInput(this.owner, inputs);
      const x = inShape(input, [input.size / this.hiddenSize!, this.hiddenSize!]) as Tensor2D;
      const {experts, bias} = this.forward(x, kwargs?.training === true);
      const shaped = (y: Tensor) => inShape(y, input.shape);
      if (bias == null) {
        return shaped(experts);
      }
      return this.args.returnBias ? [shaped(experts), clone(bias)] : shaped(add(experts, bias));
    });
  }

  private forward(x: Tensor2D, training: boolean): {experts: Tensor2D; bias: Tensor1D | null} {
    const routing = this.route(x, training);
    this.choiceObservers.forEach((observe) => observe(routing.expertIndices));
    const assignment = assignExperts(routing.expertIndices, this.args.moeNumExperts);
    const experts = this.runExperts(
      x,
      assignment,
      reshape(routing.expertWeights, [assignment.indices.size]) as Tensor1D,
      {
        w1: this.read('experts.mlp.w1'),
        v1: this.args.mlpType === 'glu' ? this.read('experts.mlp.v1') : undefined,
        w2: this.read('experts.mlp.w2'),
      },
      {
        activation: this.activation,
        activationKernel: activationKernel(this.args.activationFn),
        memoryOptimized: this.args.memoryOptimizedMlp,
        precision: this.args.precision ?? undefined,
      },
    );
    if (training && x.size > 0) {
      this.recordLosses(routing, assignment);
    }
    return this.addSharedExpert(x, experts);
  }

  private route(x: Tensor2D, training: boolean): Routing {
    return route(training ? this.jitter(x) : x, this.read('router.layer.weight'), {
      topK: this.args.moeTopK,
      normalizeExpertWeights: this.args.moeNormalizeExpertWeights,
      uniformExpertAssignment: this.args.uniformExpertAssignment,
    });
  }

  /** Each call draws anew, also where there is a seed. */
  private jitter(x: Tensor2D): Tensor2D {
    const {moeJitterEps, seed} = this.args;
    if (!moeJitterEps) {
      return x;
    }
    return jitter(x, moeJitterEps, seed == null ? undefined : `${seed}/${this.jitterCalls++}`);
  }

  /** Leaves the losses of this call for the training loss, and shows the call to the observers. */
  private recordLosses({scores, logits}: Routing, {tokensPerExpert}: ExpertAssignment) {
    const {moeLossWeight, moeZlossWeight, moeTopK, numLayers} = this.args;
    const options = {weight: moeLossWeight, topK: moeTopK, numLayers};
    const balancing =
      moeLossWeight > 0 ? loadBalancingLoss(tokensPerExpert, scores, options) : null;
    const zloss = moeZlossWeight > 0 ? routerZloss(logits, moeZlossWeight) : null;
    // Kept, since a model within a model tidies up between this call and its loss.
    if (balancing != null) {
      this.loadBalancingLosses.push(keep(balancing));
    }
    if (zloss != null) {
      this.routerZlosses.push(keep(zloss));
    }
    const record = {
      layer: this.name,
      scores,
      tokensPerExpert,
      expertCapacity: this.expertCapacity(scores.shape[0]),
      loadBalancingLoss: balancing,
      routerZloss: zloss,
    };
    this.routingObservers.forEach((observe) => observe(record));
  }

  /** Adds the shared expert's output, and weights both and the bias where the sum is weighted. */
  private addSharedExpert(
    x: Tensor2D,
    experts: Tensor2D,
  ): {experts: Tensor2D; bias: Tensor1D | null} {
    const {moeTopK, sharedExpertWeightedSum} = this.args;
    const bias = this.args.bias ? this.read<Tensor1D>('experts.bias') : null;
    if (!this.args.sharedExpert) {
      return {experts, bias};
    }
    const shared = sharedExpert(x, this.sharedExpertWeights(), this.activation);
    if (!sharedExpertWeightedSum) {
      return {experts: add(experts, shared), bias};
    }
    const share = moeTopK / (moeTopK + 1);
    return {
      experts: add(mul(experts, share), mul(shared, 1 - share)),
      bias: bias && mul(bias, share),
    };
  }

  private sharedExpertWeights(): SharedExpertWeights {
    const linear = (name: string) => ({
      weight: this.read<Tensor2D>(`shared_expert.${name}.weight`),
      bias: this.args.bias ? this.read<Tensor1D>(`shared_expert.${name}.bias`) : undefined,
    });
    return {
      upProj: linear('up_proj'),
      gateProj: this.args.mlpType === 'glu' ? linear('gate_proj') : undefined,
      downProj: linear('down_proj'),
    };
  }

  private read<T extends Tensor>(name: string): T {
    return this.variables.get(name)!.read() as Tensor as T;
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape | Shape[] {
    const shape = singleShape(inputShape);
    return this.returnsBias ? [shape, shape.slice(-1)] : shape;
  }

  override computeMask(inputs: Tensor | Tensor[], mask?: Tensor | Tensor[]): Tensor | Tensor[] {
    const ofInput = super.computeMask(inputs, mask);
    return this.returnsBias ? ([[ofInput].flat()[0], null] as Tensor[]) : ofInput;
  }

  /**
   * The configuration that `fromConfig` makes the same layer of.
   *
   * @throws If the activation is a function, which a saved model cannot hold.
   */
  override getConfig(): serialization.ConfigDict {
    const {activationFn, initMethod, outputLayerInitMethod, ...plain} = this.args;
    return {
      ...super.getConfig(),
      ...plain,
      activationFn: serializeActivation(activationFn, `${this.owner}: activationFn`),
      initMethod: serializeInitializer(initMethod),
      outputLayerInitMethod: serializeInitializer(outputLayerInitMethod),
    };
  }

  private get returnsBias(): boolean {
    return this.args.bias && this.args.returnBias;
  }

  protected override assertInputCompatibility(
    inputs: Tensor | Tensor[] | SymbolicTensor | SymbolicTensor[],
  ) {
    const list = [inputs].flat() as (Tensor | SymbolicTensor)[];
    assert(list.length === 1, () => `${this.owner}: input must be one tensor, got ${list.length}`);
    this.assertShape(list[0].shape);
    assert(
      list[0].dtype === 'float32',
      () => `${this.owner}: input must be float32, got ${list[0].dtype}`,
    );
  }

  private assertShape(shape: Shape) {
    const shown = showShape(shape);
    assert(
      shape.length >= 2,
      () => `${this.owner}: input must have a rank of at least 2, got shape ${shown}`,
    );
    const last = shape[shape.length - 1];
    assert(
      last != null && last >= 1 && (this.hiddenSize == null || last === this.hiddenSize),
      () =>
        `${this.owner}: input must have a last axis of ${this.hiddenSize ?? 'a known size above 0'}, got shape ${shown}`,
    );
  }
}

/** The oldest loss that waits, for the forward pass that it belongs to. */
function takeLoss(queue: PassQueue<Scalar>): Scalar {
  const loss = queue.shift();
  if (loss == null) {
    return scalar(0);
  }
  // The kept loss goes; its clone is of the scope that asks, and on the tape.
  const taken = clone(loss);
  loss.dispose();
  return taken;
}

function singleShape(shape: Shape | Shape[]): Shape {
  return Array.isArray(shape[0]) ? shape[0] : (shape as Shape);
}
