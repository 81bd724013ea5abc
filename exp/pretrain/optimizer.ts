import type {LearningRateSchedule} from '../../training/learning_rate_schedule';
import {AdafactorOptimizer} from '../../training/optimizers/adafactor';
import {AdamWOptimizer} from '../../training/optimizers/adamw';
import type {TrainingOptimizer} from '../../training/optimizers/training_optimizer';
import type {Options} from './options';

/** The optimizer that options ask for, set up as Megatron-LM does. */
export function createOptimizer(options: Options): TrainingOptimizer {
  const {optimizer, weightDecay, clipGrad, microBatchSize} = options;
  const {globalBatchSize = microBatchSize} = options;
  const common = {
    learningRate: learningRateSchedule(options),
    weightDecay,
    ...(clipGrad > 0 && {clipNorm: clipGrad}),
    accumulationSteps: globalBatchSize / microBatchSize,
  };
  if (optimizer === 'adafactor') {
    return new AdafactorOptimizer({...common, scaleParameter: false, relativeStep: false});
  }
  const {adamBeta1: beta1, adamBeta2: beta2, adamEps: epsilon} = options;
  return new AdamWOptimizer({...common, beta1, beta2, epsilon});
}

function learningRateSchedule(options: Options): LearningRateSchedule {
  const {lr, minLr, lrDecayStyle, lrWarmupFraction, lrWarmupIters, trainIters} = options;
  const {lrDecayIters = trainIters} = options;
  return {
    decayStyle: lrDecayStyle,
    maxLearningRate: lr,
    minLearningRate: minLr,
    warmupSteps:
      lrWarmupFraction == null ? lrWarmupIters : Math.round(lrWarmupFraction * lrDecayIters),
    decaySteps: lrDecayIters,
  };
}
