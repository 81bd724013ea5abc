import type {TrainingOptimizer} from './optimizers/training_optimizer';

/** What one step came to. */
export interface StepMeasurement {
  /** Of its micro-batches, without the time between them. */
  seconds: number;
  /** The means over the micro-batches. */
  logs: Record<string, number>;
  /** The rate that it was done with. */
  learningRate: number;
  /** The global norm of its gradients, before clipping. */
  gradientNorm: number;
  /** Whether the loss and the gradients were finite; else the step has changed nothing. */
  isFinite: boolean;
}

/** Puts the micro-batches of `fit` and `fitDataset` together to the steps of an optimizer. */
export class StepMeter {
  private batchBegin = 0;
  private seconds = 0;
  private learningRate = 0;
  private sums: Record<string, number> = {};

  constructor(private readonly optimizer: TrainingOptimizer) {}

  /** To be called before each micro-batch. */
  beginBatch() {
    if (this.optimizer.accumulatedMicroBatches === 0) {
      this.seconds = 0;
      this.sums = {};
      this.learningRate = this.optimizer.learningRate;
    }
    this.batchBegin = performance.now();
  }

  /**
   * To be called after each micro-batch. It reads the norm of the gradients back.
   *
   * @param logs The losses and metrics of the micro-batch.
   * @returns The step that is done with it, undefined within a step.
   */
  async endBatch(logs: Record<string, number>): Promise<StepMeasurement | undefined> {
    this.seconds += (performance.now() - this.batchBegin) / 1000;
    const {accumulationSteps} = this.optimizer;
    for (const [name, value] of Object.entries(logs)) {
      this.sums[name] = (this.sums[name] ?? 0) + value / accumulationSteps;
    }
    if (this.optimizer.accumulatedMicroBatches > 0) {
      return undefined;
    }
    const gradientNorm = (await this.optimizer.settleUpdate()) ?? NaN;
    const {seconds, learningRate, sums} = this;
    const isFinite = Number.isFinite(gradientNorm);
    return {seconds, logs: sums, learningRate, gradientNorm, isFinite};
  }
}
