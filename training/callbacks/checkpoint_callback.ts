import {Callback} from '@tensorflow/tfjs-layers';
import {assertCount} from '../../src/asserts';
import type {Checkpoints} from '../checkpoint';

export interface CheckpointCallbackConfig {
  checkpoints: Checkpoints;
  /** Batches from one checkpoint to the next. */
  every: number;
  /** Batches done before, as the state says that `checkpoints.restore` has given. Default 0. */
  firstStep?: number;
}

/**
 * A callback of `model.fit` and `model.fitDataset` that saves the model and its optimizer every so many
 * batches, and at the end. Training goes on while a checkpoint is written.
 *
 * ```js
 * const checkpoints = new Checkpoints({storage: new RunFolder('runs/first'), config: {units: 64}});
 * const {step = 0} = (await checkpoints.restore(model)) ?? {};
 * await model.fitDataset(dataset.skip(step), {
 *   epochs: 1,
 *   callbacks: [new CheckpointCallback({checkpoints, every: 100, firstStep: step})],
 * });
 * ```
 */
export class CheckpointCallback extends Callback {
  private step: number;
  private savedStep: number;
  private saving: Promise<unknown> = Promise.resolve();

  constructor(private readonly config: CheckpointCallbackConfig) {
    super();
    assertCount('CheckpointCallback', 'every', config.every, {min: 1});
    this.step = this.savedStep = config.firstStep ?? 0;
  }

  override async onBatchEnd() {
    this.step++;
    if (this.step % this.config.every === 0) {
      await this.save();
    }
  }

  override async onTrainEnd() {
    if (this.savedStep !== this.step) {
      await this.save();
    }
    await this.saving;
  }

  private async save() {
    await this.saving;
    const state = {step: this.step, samples: 0};
    const {saved} = await this.config.checkpoints.startSaving(this.model, state);
    this.saving = saved;
    this.savedStep = this.step;
  }
}
