import {Callback, type LayersModel} from '@tensorflow/tfjs-layers';
import {RouterStats} from '../layers/router_stats';
import {assertCount} from '../src/asserts';

/**
 * A callback of `fitDataset` that tells how many tokens each expert gets, every few steps. In between
 * nothing is computed or read back, so that training is not slowed.
 */
export class ExpertLoad extends Callback {
  private readonly stats = new RouterStats({
    onEntry: ({tokensPerExpert}) => this.layers.push(tokensPerExpert),
  });
  private layers: number[][] = [];

  /**
   * @param every Steps from one look to the next.
   * @param step Steps done before.
   * @param onLoad Is told the step, counted from 1, and the tokens of each expert, layer by layer.
   */
  constructor(
    private readonly every: number,
    private step: number,
    private readonly onLoad: (step: number, tokensPerExpert: number[][]) => void,
  ) {
    super();
    assertCount('ExpertLoad', 'every', every, {min: 1});
  }

  override setModel(model: LayersModel) {
    super.setModel(model);
    this.stats.setModel(model);
  }

  override async onBatchBegin() {
    this.step++;
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
    if (this.layers.length > 0) {
      this.onLoad(this.step, this.layers);
      this.layers = [];
    }
  }

  private isDue(): boolean {
    return this.step % this.every === 0;
  }
}
