import {assertCount, assertNumber, assertOneOf} from '../src/asserts';

/** How the learning rate goes on after the warm-up. */
export const DECAY_STYLES = ['constant', 'linear', 'cosine', 'inverse-square-root'] as const;
export type DecayStyle = (typeof DECAY_STYLES)[number];

/**
 * A learning rate that depends on the step: it rises in a line from 0 to its maximum, then decays.
 * Plain data, so that it is saved with the optimizer, and tells one run from another.
 */
export interface LearningRateSchedule {
  decayStyle: DecayStyle;
  /** The rate at the end of the warm-up. */
  maxLearningRate: number;
  /** The rate below which no decay goes. Default 0. */
  minLearningRate?: number;
  /** Steps in which the rate rises. Default 0. */
  warmupSteps?: number;
  /**
   * The step at which `minLearningRate` is reached, the warm-up counted. Needed by 'linear' and
   * 'cosine'; where it is given, 'inverse-square-root' ends there as well. 'constant' does not end.
   */
  decaySteps?: number;
}

/** The parts of the decay that are left, from 1 to 0, at a part of its steps. */
const REMAINING: Partial<Record<DecayStyle, (progress: number) => number>> = {
  linear: (progress) => 1 - progress,
  cosine: (progress) => (1 + Math.cos(Math.PI * progress)) / 2,
};

/**
 * The learning rate of a step, counted from 0. As in Megatron-LM, but for its first step, whose rate is
 * 0 there: here step `warmupSteps` - 1 is the first at the maximum, and step `decaySteps` - 1 the first
 * at the minimum.
 *
 * @see megatron/core/optimizer_param_scheduler.py, get_lr
 */
export function learningRateAt(schedule: LearningRateSchedule, step: number): number {
  const {decayStyle, maxLearningRate, minLearningRate = 0} = schedule;
  const {warmupSteps = 0, decaySteps = Infinity} = schedule;
  const stepsDone = step + 1;
  if (stepsDone <= warmupSteps) {
    return (maxLearningRate * stepsDone) / warmupSteps;
  }
  if (decayStyle === 'constant') {
    return maxLearningRate;
  }
  if (stepsDone >= decaySteps) {
    return minLearningRate;
  }
  if (decayStyle === 'inverse-square-root') {
    const rate = maxLearningRate * Math.sqrt(Math.max(warmupSteps, 1) / stepsDone);
    return Math.max(minLearningRate, rate);
  }
  const remaining = REMAINING[decayStyle]!((stepsDone - warmupSteps) / (decaySteps - warmupSteps));
  return minLearningRate + (maxLearningRate - minLearningRate) * remaining;
}

/**
 * Checks a schedule.
 *
 * @param op What errors call the one that takes it.
 * @throws If a field is missing, unknown or out of range.
 */
export function assertSchedule(op: string, schedule: LearningRateSchedule) {
  const {decayStyle, maxLearningRate, minLearningRate, warmupSteps, decaySteps} = schedule;
  assertOneOf(op, 'decayStyle', decayStyle, DECAY_STYLES);
  assertNumber(op, 'maxLearningRate', maxLearningRate, {min: 0});
  assertNumber(op, 'minLearningRate', minLearningRate ?? 0, {min: 0, max: maxLearningRate});
  assertCount(op, 'warmupSteps', warmupSteps ?? 0, {min: 0});
  if (decaySteps != null || REMAINING[decayStyle] != null) {
    assertCount(op, 'decaySteps', decaySteps, {min: Math.max(warmupSteps ?? 0, 1)});
  }
}
