import {AXES, type Axis, lossCurve, type Point} from './curves';
import type {ReportedModel} from './panel';

/** How one run reaches the best validation loss of another. */
export interface Speedup {
  model: string;
  baseline: string;
  /** The best validation loss of the baseline. */
  loss: number;
  /** How many times as much of each the baseline took to it; an axis that is not known is left out. */
  factors: Partial<Record<Axis, number>>;
}

/**
 * Of every two runs, how much faster one reaches the best validation loss of the other. A run that never
 * reaches it has no entry. Between two validations the loss is taken to fall in a line.
 */
export function compareRuns(models: readonly ReportedModel[]): Speedup[] {
  return models.flatMap((model) =>
    models.flatMap((baseline) => (model === baseline ? [] : (speedup(model, baseline) ?? []))),
  );
}

function speedup(model: ReportedModel, baseline: ReportedModel): Speedup | undefined {
  const curve = lossCurve(baseline, 'steps', 'validationLoss');
  const loss = Math.min(...curve.map(([, value]) => value));
  const factors: Speedup['factors'] = {};
  for (const axis of AXES) {
    const ours = firstAt(lossCurve(model, axis, 'validationLoss'), loss);
    const theirs = firstAt(lossCurve(baseline, axis, 'validationLoss'), loss);
    if (ours != null && theirs != null && ours > 0) {
      factors[axis] = theirs / ours;
    }
  }
  return Object.keys(factors).length > 0
    ? {model: model.name, baseline: baseline.name, loss, factors}
    : undefined;
}

/** Where a curve first comes down to a loss; undefined where it does not. */
function firstAt(curve: Point[], loss: number): number | undefined {
  const index = curve.findIndex(([, value]) => value <= loss);
  if (index <= 0) {
    return curve[index]?.[0];
  }
  const [[x0, y0], [x1, y1]] = [curve[index - 1], curve[index]];
  return x0 + ((x1 - x0) * (y0 - loss)) / (y0 - y1);
}

/** One line about it. */
export function describeSpeedup({model, baseline, loss, factors}: Speedup): string {
  const parts = Object.entries(factors).map(([axis, factor]) => `${factor.toFixed(2)} in ${axis}`);
  const list = [parts.slice(0, -1).join(', '), parts.at(-1)].filter(Boolean).join(' and ');
  return (
    `${model} reaches the best validation loss of ${baseline}, ${loss.toFixed(3)}, ` +
    `so many times as fast: ${list}.`
  );
}
