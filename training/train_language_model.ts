import {dispose, type Optimizer, type Tensor} from '@tensorflow/tfjs-core';
import {
  type Callback,
  CustomCallback,
  type CustomCallbackArgs,
  type LayersModel,
  type Logs,
} from '@tensorflow/tfjs-layers';
import {assertCount} from '../src/asserts';
import {type BatchDataset, type BatchesState, TrainingBatches, validationBatches} from './batches';
import {Checkpoints, type RunConfig, type TrainingState} from './checkpoint';
import {formatPerplexity} from './format';
import {MetricsLog, type MetricsRecord} from './metrics_log';
import type {TrainingOptimizer} from './optimizers/training_optimizer';
import type {Progress} from './progress';
import type {RunStorage} from './run_storage';
import type {StopRequest} from './stop_request';

/** A loss: labels [B, T, 1] and logits [B, T, V] to a scalar. */
export type Loss = (labels: Tensor, logits: Tensor) => Tensor;

/** What a training run needs. */
export interface TrainingOptions {
  /** What messages call it. */
  name: string;
  /** Ids [B, T] to logits [B, T, V]; not compiled. */
  model: LayersModel;
  optimizer: TrainingOptimizer;
  loss: Loss;

  /** The ids to train on and to validate on. */
  train: Int32Array;
  validation: Int32Array;
  batchSize: number;
  sequenceLength: number;
  seed: number;

  /** Steps of the whole run. */
  steps: number;
  /** Steps from one validation to the next. */
  evalEvery: number;
  /** Batches of each validation on the way; the one at the end takes the whole text. */
  evalBatches: number;
  /** Steps from one checkpoint to the next. */
  saveEvery: number;

  /** Where the checkpoints and the metrics go, and what identifies the run there. */
  folder: RunStorage;
  config: RunConfig;

  stop: StopRequest;
  /** Shows the steps from the first to do; called once the run knows how far it is. */
  createProgress: (firstStep: number) => Progress;
  /** Callbacks of `fitDataset` that watch the model on its way. */
  callbacks?: (log: MetricsLog, firstStep: number) => Callback[];
}

/** How a training run ended. */
export interface TrainingResult {
  /** Steps done, fewer than asked for where the run was stopped. */
  step: number;
  /** Whether the checkpoint of that step is on the disk. */
  saved: boolean;
  log: MetricsLog;
}

/**
 * Trains a language model with `fitDataset`, from where its folder's last checkpoint ends: every step
 * is logged, and every few steps the model is validated and saved, as it is at the end.
 *
 * A run that is stopped and resumed takes the same steps as one that is not.
 *
 * @throws If the loss is not finite, or if the folder's checkpoint is of another configuration.
 */
export async function trainLanguageModel(options: TrainingOptions): Promise<TrainingResult> {
  for (const name of ['steps', 'evalEvery', 'evalBatches', 'saveEvery'] as const) {
    assertCount('trainLanguageModel', name, options[name], {min: 1});
  }
  compileLanguageModel(options.model, options.optimizer, options.loss);
  const checkpoints = new Checkpoints(options.folder, options.config);
  const restored = await checkpoints.restore(options.model);
  const run = new TrainingRun(options, checkpoints, restored);
  return run.step < options.steps ? run.fit() : run.result;
}

/** Makes `fitDataset` and `evaluateDataset` compute the cross-entropy, and nothing twice. */
export function compileLanguageModel(model: LayersModel, optimizer: Optimizer, loss: Loss) {
  // The loss that is logged has the router's losses in it, the metric has not. tf.layers asks for
  // both from the same logits, one after the other.
  let last: {logits: Tensor; value: Tensor} | undefined;
  const crossEntropy = (labels: Tensor, logits: Tensor) => {
    if (last?.logits !== logits) {
      last = {logits, value: loss(labels, logits)};
    }
    return last.value;
  };
  model.compile({optimizer, loss: crossEntropy, metrics: [crossEntropy]});
}

/** The mean cross-entropy of a compiled language model over a data set, in nats a token. */
export async function evaluateLanguageModel(
  model: LayersModel,
  batches: BatchDataset,
): Promise<number> {
  const losses = [await model.evaluateDataset(batches)].flat();
  const [loss] = await losses[0].data();
  dispose(losses);
  return loss;
}

/** What the callbacks of one run share. */
class TrainingRun {
  private readonly log: MetricsLog;
  private readonly batches: TrainingBatches;
  private readonly validation: BatchDataset;
  private progress?: Progress;
  private stepsDone: number;
  private savedStep: number;
  private seconds: number;
  private stepBegin = 0;
  private learningRate = 0;
  private failure?: Error;

  constructor(
    private readonly options: TrainingOptions,
    private readonly checkpoints: Checkpoints,
    restored: TrainingState | undefined,
  ) {
    const {train, validation, folder, evalBatches} = options;
    const {position} = (restored?.data ?? {position: 0}) as BatchesState;
    this.stepsDone = this.savedStep = restored?.step ?? 0;
    this.log = MetricsLog.open(folder, this.step);
    this.seconds = this.log.seconds;
    this.batches = new TrainingBatches({...options, ids: train}, position);
    this.validation = validationBatches({...options, ids: validation}, evalBatches);
  }

  /** Steps done. */
  get step(): number {
    return this.stepsDone;
  }

  get result(): TrainingResult {
    return {step: this.step, saved: this.savedStep === this.step, log: this.log};
  }

  async fit(): Promise<TrainingResult> {
    const {model, steps, evalEvery, callbacks} = this.options;
    this.progress = this.options.createProgress(this.step);
    try {
      await model.fitDataset(this.batches.dataset(evalEvery, steps, this.step), {
        epochs: Math.ceil(steps / evalEvery),
        initialEpoch: Math.floor(this.step / evalEvery),
        validationData: this.validation,
        verbose: 0,
        callbacks: [
          new CustomCallback(this.callback(), 'auto'),
          ...(callbacks?.(this.log, this.step) ?? []),
        ],
      });
    } finally {
      this.progress.stop();
    }
    if (this.failure != null) {
      throw this.failure;
    }
    if (this.savedStep !== this.step) {
      await this.save();
    }
    return this.result;
  }

  private callback(): CustomCallbackArgs {
    return {
      onBatchBegin: async () => {
        this.stepBegin = performance.now();
        this.learningRate = this.options.optimizer.learningRate;
      },
      onBatchEnd: (_, logs) => this.endStep(logs!),
      onEpochEnd: async (_, logs) => this.endEpoch(logs!),
    };
  }

  private async endStep({loss: totalLoss, crossEntropy: loss}: Logs) {
    const {optimizer, batchSize, sequenceLength, evalEvery, saveEvery} = this.options;
    const seconds = (performance.now() - this.stepBegin) / 1000;
    this.seconds += seconds;
    const step = ++this.stepsDone;
    if (!Number.isFinite(totalLoss)) {
      this.fail(totalLoss);
      return;
    }
    const gradientNorm = await optimizer.settleUpdate();
    this.addRecord({loss, totalLoss, learningRate: this.learningRate, gradientNorm});
    this.progress?.step({step, loss, seconds, tokens: batchSize * sequenceLength});
    if (step % saveEvery === 0) {
      await this.save();
    }
    if (step % evalEvery !== 0) {
      this.stopIfAsked(); // Else after the validation that is due.
    }
  }

  private endEpoch({val_loss: validationLoss}: Logs) {
    if (validationLoss != null) {
      this.addRecord({validationLoss});
      this.progress?.note(
        `${this.options.name} step ${this.step}: validation loss ${validationLoss.toFixed(3)}, ` +
          `perplexity ${formatPerplexity(validationLoss)}`,
      );
    }
    this.stopIfAsked();
  }

  private addRecord(values: Partial<MetricsRecord>) {
    this.log.add({step: this.step, seconds: this.seconds, ...values});
  }

  private stopIfAsked() {
    if (this.options.stop.reason != null) {
      this.options.model.stopTraining = true;
    }
  }

  private fail(loss: number) {
    const saved = this.checkpoints.steps().at(-1);
    this.failure = new Error(
      `${this.options.name}: the loss must stay finite, got ${loss} at step ${this.step}; ` +
        (saved == null
          ? 'no checkpoint was saved before'
          : `the last checkpoint is of step ${saved}`),
    );
    this.options.model.stopTraining = true;
  }

  private async save() {
    const {model} = this.options;
    if (await this.checkpoints.save(model, {step: this.step, data: this.batches.state})) {
      this.savedStep = this.step;
    }
  }
}
