import {
  dispose,
  keep,
  log,
  maximum,
  mean,
  mul,
  neg,
  type Scalar,
  sum,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  tidy,
} from '@tensorflow/tfjs-core';
import {Callback} from '@tensorflow/tfjs-layers';
import {stopGradient} from '../ops/stop_gradient';
import {moeLayers} from './batched_losses';
import type {MoELayer, RoutingRecord} from './moe_layer';
import {PassQueue} from './pass_queue';

/** How one MoE layer routed one batch. */
export interface RouterStatsEntry {
  epoch: number;
  batch: number;
  /** The name of the layer. */
  layer: string;
  /** How many tokens each expert was sent, those that it then dropped included. */
  tokensPerExpert: number[];
  minTokens: number;
  maxTokens: number;
  /** The standard deviation of `tokensPerExpert`. */
  stdTokens: number;
  /** How many copies of tokens were beyond their expert's capacity. */
  droppedTokens: number;
  /** The mean entropy of the tokens' scores, in nats: from 0 (certain) to log E (undecided). */
  routerEntropy: number;
  /** The losses as they joined the model's loss; 0 where the layer has none. */
  loadBalancingLoss: number;
  routerZloss: number;
}

/** The tensors that one call leaves until its batch ends. */
interface PendingStats {
  layer: string;
  expertCapacity: number | null;
  tokensPerExpert: Tensor1D;
  scores: Tensor2D;
  loadBalancingLoss: Scalar | null;
  routerZloss: Scalar | null;
}

/**
 * A callback of `model.fit` and `model.fitDataset` that gives, for every MoE layer of the model,
 * models within it included, how it routed each batch.
 *
 * ```js
 * const stats = new RouterStats();
 * await model.fit(x, y, {epochs: 2, callbacks: [stats]});
 * console.log(stats.history[0].tokensPerExpert, stats.history[0].routerEntropy);
 * ```
 *
 * It reads a few numbers back at the end of each batch. Without it, layers compute and keep nothing
 * of this. A layer that is used twice in a model has two entries a batch.
 */
export class RouterStats extends Callback {
  /** All entries, in order. Empty it, or take `onEntry`, where a run is long. */
  readonly history: RouterStatsEntry[] = [];

  private readonly pending = new PassQueue<PendingStats>(disposeStats);
  private readonly observe = (record: RoutingRecord) => this.pending.push(retain(record));
  private observed: MoELayer[] = [];
  private epoch = 0;

  /** @param args `onEntry` is called with each entry at the end of its batch. */
  constructor(private readonly args: {onEntry?: (entry: RouterStatsEntry) => void} = {}) {
    super();
  }

  override async onTrainBegin() {
    // A run that failed did not end.
    await this.onTrainEnd();
    this.observed = moeLayers(this.model);
    this.observed.forEach(({routingObservers}) => routingObservers.add(this.observe));
  }

  override async onTrainEnd() {
    this.observed.forEach(({routingObservers}) => routingObservers.delete(this.observe));
    this.pending.clear();
  }

  override async onEpochBegin(epoch: number) {
    this.epoch = epoch;
  }

  override async onBatchEnd(batch: number) {
    for (let stats = this.pending.shift(); stats != null; stats = this.pending.shift()) {
      const entry = {epoch: this.epoch, batch, ...(await readStats(stats))};
      this.history.push(entry);
      this.args.onEntry?.(entry);
    }
  }
}

/** Keeps a record beyond its forward pass: off the tape and without a copy. */
function retain(record: RoutingRecord): PendingStats {
  const retained = <T extends Tensor>(x: T): T => keep(stopGradient(x));
  const {layer, expertCapacity, loadBalancingLoss, routerZloss} = record;
  return {
    layer,
    expertCapacity,
    tokensPerExpert: retained(record.tokensPerExpert),
    scores: retained(record.scores),
    loadBalancingLoss: loadBalancingLoss && retained(loadBalancingLoss),
    routerZloss: routerZloss && retained(routerZloss),
  };
}

/** The mean entropy of the rows; a probability of 0 adds none. */
function entropy(scores: Tensor2D): Scalar {
  return tidy(() => neg(mean(sum(mul(scores, log(maximum(scores, 1e-30))), -1))));
}

async function readStats(stats: PendingStats) {
  const read = async (x: Scalar | null) => (x == null ? 0 : (await x.data())[0]);
  const routerEntropy = entropy(stats.scores);
  const tokensPerExpert = Array.from(await stats.tokensPerExpert.data());
  const entry = {
    layer: stats.layer,
    tokensPerExpert,
    minTokens: Math.min(...tokensPerExpert),
    maxTokens: Math.max(...tokensPerExpert),
    stdTokens: standardDeviation(tokensPerExpert),
    droppedTokens: droppedTokens(tokensPerExpert, stats.expertCapacity),
    routerEntropy: await read(routerEntropy),
    loadBalancingLoss: await read(stats.loadBalancingLoss),
    routerZloss: await read(stats.routerZloss),
  };
  routerEntropy.dispose();
  disposeStats(stats);
  return entry;
}

function disposeStats({tokensPerExpert, scores, loadBalancingLoss, routerZloss}: PendingStats) {
  dispose([tokensPerExpert, scores, loadBalancingLoss, routerZloss] as Tensor[]);
}

function standardDeviation(values: number[]): number {
  const average = values.reduce((a, b) => a + b, 0) / values.length;
  const squares = values.map((value) => (value - average) ** 2);
  return Math.sqrt(squares.reduce((a, b) => a + b, 0) / values.length);
}

function droppedTokens(tokensPerExpert: number[], capacity: number | null): number {
  return tokensPerExpert.reduce(
    (dropped, count) => dropped + Math.max(0, count - (capacity ?? count)),
    0,
  );
}
