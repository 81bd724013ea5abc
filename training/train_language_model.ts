import {memory} from '@tensorflow/tfjs-core';
import {
  type Callback,
  CustomCallback,
  type CustomCallbackArgs,
  type LayersModel,
  type Logs,
} from '@tensorflow/tfjs-layers';
import {assertCount, assertLimit} from '../src/asserts';
import {Checkpoints, type RunConfig, type TrainingState} from './checkpoint';
import {ExpertLoad, type RoutingSummary} from './expert_load';
import {formatPerplexity} from './format';
import {compileLanguageModel, evaluateLanguageModel, type Loss} from './language_model_loss';
import {MetricsLog, type MetricsRecord, type MetricsSink} from './metrics_log';
import type {TrainingOptimizer} from './optimizers/training_optimizer';
import {explainOutOfMemory} from './out_of_memory';
import type {Progress} from './progress';
import {writeRunInfo} from './run_info';
import type {RunStorage} from './run_storage';
import {StepMeter, type StepMeasurement} from './step_meter';
import {StepsDataset} from './steps_dataset';
import type {StopRequest} from './stop_request';
import type {BatchDataset, TrainingData} from './training_data';

/** What a training run needs. */
export interface TrainingOptions {
  /** What messages and legends call it. */
  name: string;
  /** Ids [B, T] to what `loss` takes: logits [B, T, V] or hidden states; not compiled. */
  model: LayersModel;
  /** Its `accumulationSteps` are the micro-batches of a step. */
  optimizer: TrainingOptimizer;
  loss: Loss;

  /** Micro-batches to train on. */
  train: TrainingData;
  /** Batches to validate on; without them nothing is validated. */
  validation?: BatchDataset;
  /** Batches on which the trained model is tested; without them it is not. */
  test?: BatchDataset;

  /** Steps of the whole run. */
  steps: number;
  /** Steps from one validation to the next. */
  evalEvery: number;
  /** Steps from one checkpoint to the next; one of the best validation loss is saved besides. */
  saveEvery: number;
  /** Checkpoints that are kept, beside the best. Default 2. */
  keepCheckpoints?: number;
  /** Bytes of values above which a checkpoint is several files. Default 1 GiB. */
  maxShardBytes?: number;
  /** Steps from one look at the experts' load to the next. Default: it is not looked at. */
  loadEvery?: number;
  /**
   * A step whose loss or gradients are not finite changes nothing. So many in a row end the run. Default
   * 10.
   */
  maxSkippedSteps?: number;

  /** Where the checkpoints and the metrics go, and what identifies the run there. */
  folder: RunStorage;
  config: RunConfig;
  /** Take the metrics as they come, beside the log in the folder. */
  sinks?: readonly MetricsSink[];
  /** The floating-point operations of a training step for one token. */
  flopsPerToken?: number;
  /** The operations a second that the device has at most, where that is known. */
  peakFlops?: number;

  stop: StopRequest;
  /** Shows the steps from the first to do; called once the run knows how far it is. */
  createProgress: (firstStep: number) => Progress;
  /** More callbacks of `fitDataset`. */
  callbacks?: readonly (Callback | CustomCallback)[];
}

/** How a training run ended. */
export interface TrainingResult {
  /** Steps done, fewer than asked for where the run was stopped. */
  step: number;
  /** Whether the checkpoint of that step is on the disk. */
  saved: boolean;
  /** The cross-entropy on the test data of a run that came to its end, in nats a token. */
  testLoss?: number;
  log: MetricsLog;
}

/**
 * Trains a language model with `fitDataset`, from where its folder's last checkpoint ends: every step
 * is logged, and every few steps the model is validated and saved, as it is at the end.
 *
 * A run that is stopped or killed and resumed takes the same steps as one that is not.
 *
 * @throws If too many steps in a row are not finite, if memory does not suffice, or if the folder's
 *     checkpoint is of another configuration.
 */
export async function trainLanguageModel(options: TrainingOptions): Promise<TrainingResult> {
  for (const name of ['steps', 'evalEvery', 'saveEvery'] as const) {
    assertCount('trainLanguageModel', name, options[name], {min: 1});
  }
  if (options.maxSkippedSteps !== undefined) {
    assertLimit('trainLanguageModel', 'maxSkippedSteps', options.maxSkippedSteps);
  }
  const {model, optimizer, loss, folder, config, keepCheckpoints: keep, maxShardBytes} = options;
  compileLanguageModel(model, optimizer, loss);
  const checkpoints = new Checkpoints({storage: folder, config, keep, maxShardBytes});
  const restored = await checkpoints.restore(model);
  const run = new TrainingRun(options, checkpoints, restored);
  if (run.step < options.steps) {
    await run.fit();
  }
  const testLoss = run.step === options.steps ? await run.test() : undefined;
  return {...run.result, ...(testLoss != null && {testLoss})};
}

/** What the callbacks of one run share. */
class TrainingRun {
  private readonly log: MetricsLog;
  private readonly batches: StepsDataset;
  private readonly evalEvery: number;
  private progress?: Progress;
  private state: TrainingState;
  private savedStep: number;
  private saving: Promise<unknown> = Promise.resolve();
  private failure?: Error;

  private readonly tokensBefore: number;
  /** Of the steps that were done here. */
  private tokensDone = 0;
  private seconds: number;
  private readonly meter: StepMeter;
  private routing?: RoutingSummary;

  constructor(
    private readonly options: TrainingOptions,
    private readonly checkpoints: Checkpoints,
    restored: TrainingState | undefined,
  ) {
    const {name, train, validation, folder, steps, optimizer, flopsPerToken, config} = options;
    this.state = restored ?? {step: 0, samples: 0};
    this.savedStep = this.step;
    this.log = MetricsLog.open(folder, this.step);
    this.seconds = this.log.seconds;
    this.tokensBefore = this.log.tokens;
    this.evalEvery = validation == null ? steps : options.evalEvery;
    this.meter = new StepMeter(optimizer);
    this.batches = new StepsDataset({
      data: train,
      microBatches: optimizer.accumulationSteps,
      stepsPerEpoch: this.evalEvery,
      lastStep: steps,
      firstStep: this.step,
      firstSample: this.state.samples,
    });
    writeRunInfo(folder, {name, flopsPerToken, config});
  }

  /** Steps done. */
  get step(): number {
    return this.state.step;
  }

  get result(): TrainingResult {
    return {step: this.step, saved: this.savedStep === this.step, log: this.log};
  }

  async fit() {
    const {model, steps, validation, optimizer} = this.options;
    this.progress = this.options.createProgress(this.step);
    try {
      await model.fitDataset(this.batches, {
        epochs: Math.ceil(steps / this.evalEvery),
        initialEpoch: Math.floor(this.step / this.evalEvery),
        validationData: validation,
        verbose: 0,
        callbacks: this.callbacks(),
      });
    } catch (error) {
      const {microBatchSize} = this.batches;
      throw explainOutOfMemory(error, microBatchSize, optimizer.accumulationSteps);
    } finally {
      await this.saving;
      this.progress.stop();
    }
    if (this.failure != null) {
      throw this.failure;
    }
    if (this.savedStep !== this.step) {
      await this.save();
      await this.saving;
    }
  }

  /** The loss on the test data: computed once, and logged with the last step. */
  async test(): Promise<number | undefined> {
    const {model, test} = this.options;
    const logged = this.log.records.find(({testLoss}) => testLoss != null)?.testLoss;
    if (test == null || logged != null) {
      return logged;
    }
    const testLoss = await evaluateLanguageModel(model, test);
    this.addRecord({testLoss});
    return testLoss;
  }

  private callbacks(): (Callback | CustomCallback)[] {
    const {loadEvery, callbacks = [], optimizer} = this.options;
    const load =
      loadEvery != null &&
      new ExpertLoad({
        every: loadEvery,
        firstStep: this.step,
        microBatches: optimizer.accumulationSteps,
        onLoad: (_, routing) => (this.routing = routing),
      });
    // The step is logged with what the load has found.
    return [...(load ? [load] : []), new CustomCallback(this.callback(), 'auto'), ...callbacks];
  }

  private callback(): CustomCallbackArgs {
    return {
      onBatchBegin: async () => this.meter.beginBatch(),
      onBatchEnd: async (_, logs) => {
        const {loss: totalLoss, crossEntropy: loss} = logs!;
        const measured = await this.meter.endBatch({loss, totalLoss});
        if (measured != null) {
          await this.endStep(measured);
        }
      },
      onEpochEnd: async (_, logs) => this.endEpoch(logs!),
    };
  }

  private async endStep({seconds, logs, learningRate, gradientNorm, isFinite}: StepMeasurement) {
    const {loss, totalLoss} = logs;
    this.seconds += seconds;
    this.state.step++;
    this.state.samples = this.batches.samples;
    if (isFinite) {
      this.state.skipped = undefined;
      const memoryBytes = bytesInUse();
      const values = {loss, totalLoss, learningRate, gradientNorm, memoryBytes};
      const record = this.addRecord({...values, ...this.routing});
      this.showProgress({...record, loss, seconds});
    } else {
      this.addRecord({learningRate, skipped: true});
      await this.skip(totalLoss, gradientNorm);
    }
    this.tokensDone = this.batches.tokens;
    this.routing = undefined;
    if (this.failure == null && this.step % this.evalEvery !== 0) {
      await this.saveIfDue();
      this.stopIfAsked();
    } // Else after the validation that is due.
  }

  /** @param record Of a step, with the time of this step alone. */
  private showProgress(record: MetricsRecord & {loss: number}) {
    const {flopsPerToken, peakFlops} = this.options;
    const tokens = this.batches.tokens - this.tokensDone;
    const flops = flopsPerToken && flopsPerToken * tokens;
    this.progress?.step({...record, tokens, flops, peakFlops});
  }

  private async skip(totalLoss: number, gradientNorm: number) {
    const {name, maxSkippedSteps = 10} = this.options;
    const what = Number.isFinite(totalLoss)
      ? `the norm of the gradients is ${gradientNorm}`
      : `the loss is ${totalLoss}`;
    const inARow = (this.state.skipped ?? 0) + 1;
    this.state.skipped = inARow;
    this.progress?.note(
      `${name} step ${this.step}: ${what}, so the step is skipped (${inARow} in a row)`,
    );
    if (inARow >= maxSkippedSteps) {
      await this.saving;
      const saved = this.checkpoints.steps().at(-1);
      this.failure = new Error(
        `${name}: the loss and the gradients must be finite, got ${inARow} steps in a row that were ` +
          `not, up to step ${this.step} (${what}); ` +
          (saved == null
            ? 'no checkpoint was saved before'
            : `the last checkpoint is of step ${saved}`),
      );
      this.options.model.stopTraining = true;
    }
  }

  private async endEpoch({val_loss: validationLoss}: Logs) {
    if (this.failure != null) {
      return;
    }
    if (validationLoss != null) {
      this.addRecord({validationLoss});
      this.progress?.note(
        `${this.options.name} step ${this.step}: validation loss ${validationLoss.toFixed(3)}, ` +
          `perplexity ${formatPerplexity(validationLoss)}`,
      );
    }
    const {best} = this.state;
    const isBest = validationLoss < (best?.validationLoss ?? Infinity);
    if (isBest) {
      this.state.best = {step: this.step, validationLoss};
    }
    await this.saveIfDue(isBest);
    this.stopIfAsked();
  }

  private addRecord(values: Partial<MetricsRecord>): MetricsRecord {
    const {step, seconds} = this;
    const tokens = this.tokensBefore + this.batches.tokens;
    const record = {step, seconds, tokens, ...values};
    [this.log, ...(this.options.sinks ?? [])].forEach((sink) => sink.add(record));
    return record;
  }

  private stopIfAsked() {
    if (this.options.stop.reason != null) {
      this.options.model.stopTraining = true;
    }
  }

  private async saveIfDue(isBest = false) {
    const isDue = isBest || this.step % this.options.saveEvery === 0;
    if (isDue && this.savedStep !== this.step) {
      await this.save();
    }
  }

  /** Training goes on while the file is written. */
  private async save() {
    await this.saving;
    const {step} = this;
    const {saved} = await this.checkpoints.startSaving(this.options.model, {...this.state});
    this.savedStep = step;
    this.saving = saved.then((succeeded) => {
      if (!succeeded && this.savedStep === step) {
        this.savedStep = -1;
      }
    });
  }
}

function bytesInUse(): number {
  const {numBytes, numBytesInGPU} = memory() as ReturnType<typeof memory> & {
    numBytesInGPU?: number;
  };
  return numBytesInGPU ?? numBytes;
}
