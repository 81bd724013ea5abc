import type {Optimizer} from '@tensorflow/tfjs-core';
import {Callback, type Logs} from '@tensorflow/tfjs-layers';
import {assert} from '../../src/asserts';
import type {MetricsSink} from '../metrics_log';
import type {TrainingOptimizer} from '../optimizers/training_optimizer';
import {StepMeter} from '../step_meter';

export interface MetricsCallbackConfig {
  /** Where the metrics go: a `MetricsLog`, a `TensorBoardLog`, or anything with `add`. */
  sinks: readonly MetricsSink[];
  /** Steps done before. Default 0. */
  firstStep?: number;
  /** The seconds that they took, which a `MetricsLog` knows. Default 0. */
  firstSeconds?: number;
}

/**
 * A callback of `model.fit` and `model.fitDataset` that passes the metrics of every step on: the loss, the
 * learning rate, the norm of the gradients, the time, and at the end of an epoch the validation loss.
 *
 * ```js
 * const folder = new RunFolder('runs/first');
 * const callbacks = [new MetricsCallback({sinks: [MetricsLog.open(folder), new TensorBoardLog(folder)]})];
 * await model.fit(x, y, {epochs: 3, callbacks});
 * ```
 *
 * The model must be compiled with one of this library's optimizers. `trainLanguageModel` does all this
 * and more.
 */
export class MetricsCallback extends Callback {
  private meter?: StepMeter;
  private step: number;
  private seconds: number;

  constructor(private readonly config: MetricsCallbackConfig) {
    super();
    this.step = config.firstStep ?? 0;
    this.seconds = config.firstSeconds ?? 0;
  }

  override async onTrainBegin() {
    const {optimizer} = this.model;
    assert(
      isTrainingOptimizer(optimizer),
      () =>
        'MetricsCallback: optimizer must be an AdamWOptimizer or AdafactorOptimizer, got ' +
        optimizer.getClassName(),
    );
    this.meter = new StepMeter(optimizer);
  }

  override async onBatchBegin() {
    this.meter!.beginBatch();
  }

  override async onBatchEnd(_batch: number, {loss}: Logs = {}) {
    const measured = await this.meter!.endBatch({loss: await read(loss)});
    if (measured == null) {
      return;
    }
    this.step++;
    this.seconds += measured.seconds;
    const {logs, learningRate, gradientNorm, isFinite} = measured;
    this.add(
      isFinite
        ? {loss: logs.loss, totalLoss: logs.loss, learningRate, gradientNorm}
        : {learningRate, skipped: true},
    );
  }

  override async onEpochEnd(_epoch: number, {val_loss: validationLoss}: Logs = {}) {
    if (validationLoss != null) {
      this.add({validationLoss: await read(validationLoss)});
    }
  }

  private add(values: object) {
    const record = {step: this.step, seconds: this.seconds, ...values};
    this.config.sinks.forEach((sink) => sink.add(record));
  }
}

/** Not by `instanceof`, by which every optimizer is an instance of every class of optimizers. */
function isTrainingOptimizer(optimizer: Optimizer): optimizer is TrainingOptimizer {
  return 'settleUpdate' in optimizer;
}

/** `fit` hands losses over as tensors, whatever its types say. */
async function read(value: unknown): Promise<number> {
  return typeof value === 'number'
    ? value
    : (await (value as {data(): Promise<number[]>}).data())[0];
}
