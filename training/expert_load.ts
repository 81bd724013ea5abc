import {Callback, type LayersModel} from '@tensorflow/tfjs-layers';
import {RouterStats, type RouterStatsEntry} from '../layers/router_stats';
import {assertCount} from '../src/asserts';

/** How the routers of a model routed one micro-batch. */
export interface RoutingSummary {
  /** The tokens of each expert, layer by layer. */
  tokensPerExpert: number[][];
  /** The sums over the layers, as they joined the loss. */
  loadBalancingLoss: number;
  routerZloss: number;
}

export interface ExpertLoadConfig {
  /** Steps from one look to the next. */
  every: number;
  /** Steps done before. */
  firstStep: number;
  /** Micro-batches a step, of which the last is looked at. Default 1. */
  microBatches?: number;
  /** Is told the step, counted from 1. Not called where the model has no experts. */
  onLoad: (step: number, routing: RoutingSummary) => void;
}

/**
 * A callback of `fitDataset` that tells how many tokens each expert gets, every few steps. In between
 * nothing is computed or read back, so that training is not slowed.
 */
export class ExpertLoad extends Callback {
  private readonly stats = new RouterStats({onEntry: (entry) => this.entries.push(entry)});
  private readonly microBatches: number;
  private entries: RouterStatsEntry[] = [];
  private batches = 0;

  constructor(private readonly config: ExpertLoadConfig) {
    super();
    this.microBatches = config.microBatches ?? 1;
    assertCount('ExpertLoad', 'every', config.every, {min: 1});
    assertCount('ExpertLoad', 'microBatches', this.microBatches, {min: 1});
  }

  override setModel(model: LayersModel) {
    super.setModel(model);
    this.stats.setModel(model);
  }

  override async onBatchBegin() {
    this.batches++;
    if (this.isDue()) {
      await this.stats.onTrainBegin();
    }
  }

  override async onBatchEnd(batch: number) {
    if (!this.isDue()) {
      return;
    }
    await this.stats.onBatchEnd(batch);
    await this.stats.onTrainEnd();
    this.stats.history.length = 0;
    const entries = this.entries.splice(0);
    if (entries.length > 0) {
      this.config.onLoad(this.step, summarize(entries));
    }
  }

  private get step(): number {
    return this.config.firstStep + this.batches / this.microBatches;
  }

  private isDue(): boolean {
    return this.step % this.config.every === 0;
  }
}

function summarize(entries: RouterStatsEntry[]): RoutingSummary {
  const total = (field: 'loadBalancingLoss' | 'routerZloss') =>
    entries.reduce((sum, entry) => sum + entry[field], 0);
  return {
    tokensPerExpert: entries.map(({tokensPerExpert}) => tokensPerExpert),
    loadBalancingLoss: total('loadBalancingLoss'),
    routerZloss: total('routerZloss'),
  };
}
