import type {MetricsRecord} from '../metrics_log';
import type {ReportedModel} from './panel';

/** A loss at a place of an axis. */
export type Point = [x: number, loss: number];

/** What losses are looked at over. */
export const AXES = ['steps', 'tokens', 'compute', 'time'] as const;
export type Axis = (typeof AXES)[number];

/** Where a record of a model stands on each axis: steps, tokens, floating-point operations, seconds. */
export const COORDINATES: Record<Axis, (record: MetricsRecord, model: ReportedModel) => number> = {
  steps: ({step}) => step,
  tokens: ({tokens}) => tokens ?? NaN,
  compute: ({step}, {flopsPerStep}) => step * flopsPerStep,
  time: ({seconds}) => seconds,
};

/** The losses of a model over an axis. */
export function lossCurve(
  model: ReportedModel,
  axis: Axis,
  field: 'loss' | 'validationLoss',
): Point[] {
  return model.records.flatMap((record) => {
    const x = COORDINATES[axis](record, model);
    const loss = record[field];
    return loss == null || !Number.isFinite(x) ? [] : [[x, loss] as Point];
  });
}
