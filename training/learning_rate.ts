import type {CustomCallbackArgs} from '@tensorflow/tfjs-layers';
import {assert, assertCount} from '../src/asserts';

/** A learning rate that depends on the step, counted from 0. */
export type LearningRateSchedule = (step: number) => number;

/** A schedule that rises in a line from 0 to `peak`, then falls along half a cosine to `end`. */
export interface WarmupCosineConfig {
  peak: number;
  /** A tenth of the peak where it is not given. */
  end?: number;
  warmupSteps: number;
  totalSteps: number;
}

/**
 * The schedule of the MegaBlocks runs: linear warm-up, then cosine decay. Step `warmupSteps` - 1 is the
 * first at `peak`; the steps from `totalSteps` - 1 on are at `end`.
 *
 * @throws If a rate is negative or the warm-up is longer than the whole.
 * @see megablocks/exp: --lr, --min-lr, --lr-warmup-fraction, --lr-decay-style cosine
 */
export function warmupCosine(config: WarmupCosineConfig): LearningRateSchedule {
  const {peak, end = peak / 10, warmupSteps, totalSteps} = config;
  for (const [name, value] of Object.entries({peak, end})) {
    assert(
      Number.isFinite(value) && value >= 0,
      () => `warmupCosine: ${name} must be a number of at least 0, got ${value}`,
    );
  }
  assertCount('warmupCosine', 'totalSteps', totalSteps, {min: 1});
  assertCount('warmupCosine', 'warmupSteps', warmupSteps, {min: 0, max: totalSteps});
  return (step) => {
    if (step < warmupSteps) {
      return (peak * (step + 1)) / warmupSteps;
    }
    const decaySteps = Math.max(totalSteps - 1 - Math.max(warmupSteps - 1, 0), 1);
    const progress = Math.min((step - Math.max(warmupSteps - 1, 0)) / decaySteps, 1);
    return end + ((peak - end) * (1 + Math.cos(Math.PI * progress))) / 2;
  };
}

/** An optimizer whose learning rate can change. */
export interface AdjustableOptimizer {
  setLearningRate(learningRate: number): void;
}

/** Sets the learning rate before every batch of `fit` or `fitDataset`, from `firstStep` on. */
export function learningRateCallback(
  optimizer: AdjustableOptimizer,
  schedule: LearningRateSchedule,
  firstStep = 0,
): CustomCallbackArgs {
  let step = firstStep;
  return {
    onBatchBegin: async () => optimizer.setLearningRate(schedule(step++)),
  };
}
