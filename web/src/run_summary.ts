import type {MetricsRecord} from '../../training/metrics_log';
import {type Settings, tokensPerStep} from './settings';

/** The loss and the speed are averaged over so many steps. */
const AVERAGED_STEPS = 20;

/** What a run has come to; fields are undefined before there is anything to say. */
export interface RunSummary {
  /** Of the last steps, in nats a token. */
  loss?: number;
  /** Of the last validation. */
  validationLoss?: number;
  tokensPerSecond?: number;
  /** Until the last step. */
  secondsLeft?: number;
}

export function summarize(records: readonly MetricsRecord[], settings: Settings): RunSummary {
  const steps = records.filter(({loss}) => loss != null).slice(-AVERAGED_STEPS - 1);
  const [first, last] = [steps[0], steps.at(-1)];
  const {validationLoss} = records.filter((record) => record.validationLoss != null).at(-1) ?? {};
  if (last == null) {
    return {validationLoss};
  }
  const counted = steps.length > 1 ? steps.slice(1) : steps;
  const loss = counted.reduce((sum, record) => sum + record.loss!, 0) / counted.length;
  if (steps.length < 2) {
    return {loss, validationLoss};
  }
  const secondsPerStep = (last.seconds - first.seconds) / (last.step - first.step);
  return {
    loss,
    validationLoss,
    tokensPerSecond: tokensPerStep(settings) / secondsPerStep,
    secondsLeft: (settings.steps - last.step) * secondsPerStep,
  };
}
