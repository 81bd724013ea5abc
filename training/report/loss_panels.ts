import type {LegendComponentOption, LineSeriesOption} from 'echarts';
import type {MetricsRecord} from '../metrics_log';
import type {Panel, ReportedModel} from './panel';
import {COLORS, FAINT, RULE} from './style';

type Point = [x: number, y: number];
type Coordinate = (record: MetricsRecord, model: ReportedModel) => number;

/** The training loss is averaged over this part of the run. */
const SMOOTHING = 1 / 40;
/** What is lost in the first part of the run says little and would flatten the rest. */
const SKIPPED = 1 / 20;

const TRAINING = ', training';

/** The legend of the panels: a thin line for the training loss, one with a marker for the other. */
export function lossLegend([{series}]: Panel[]): LegendComponentOption['data'] {
  return series.map(({name}) => ({
    name: String(name),
    icon: String(name).endsWith(TRAINING) ? 'path://M0 6h25v1.2h-25z' : undefined,
  }));
}

/** The loss of every model over steps, over floating-point operations, and over time. */
export function lossPanels(models: readonly ReportedModel[]): Panel[] {
  const flops = engineering(Math.max(...models.map(totalFlops)), 'FLOP');
  const largest = Math.max(...models.map(({records}) => records.at(-1)?.seconds ?? 0));
  const time = largest > 300 ? {unit: 'minutes', scale: 60} : {unit: 'seconds', scale: 1};
  return [
    lossPanel(models, 'Loss over steps', 'steps', ({step}) => step),
    lossPanel(
      models,
      'Loss over compute',
      flops.unit,
      ({step}, {flopsPerStep}) => (step * flopsPerStep) / flops.scale,
    ),
    lossPanel(models, 'Loss over training time', time.unit, ({seconds}) => seconds / time.scale),
  ];
}

function lossPanel(
  models: readonly ReportedModel[],
  title: string,
  unit: string,
  coordinate: Coordinate,
): Panel {
  const curves = models.map((model) => ({
    name: model.name,
    training: smooth(pointsOf(model, coordinate, 'loss')),
    validation: pointsOf(model, coordinate, 'validationLoss'),
  }));
  const [low, high] = verticalRange(curves.flatMap((curve) => [curve.training, curve.validation]));
  const end = Math.max(...curves.map(({training}) => training.at(-1)?.[0] ?? 0));
  return {
    title,
    xAxis: {
      type: 'value',
      name: unit,
      nameLocation: 'middle',
      nameGap: 28,
      nameTextStyle: {color: FAINT},
      splitLine: {show: false},
      axisLine: {lineStyle: {color: FAINT}},
      max: end,
      axisLabel: {color: FAINT, showMaxLabel: Number.isInteger(end)},
    },
    yAxis: {
      type: 'value',
      min: low,
      max: high,
      splitNumber: 5,
      splitLine: {lineStyle: {color: RULE}},
      axisLabel: {color: FAINT, formatter: (value: number) => value.toFixed(1)},
    },
    series: curves.flatMap(({name, training, validation}, i) => {
      const color = COLORS[i % COLORS.length];
      return [
        lineSeries(`${name}${TRAINING}`, training, {width: 1.2, opacity: 0.55, color}, false),
        lineSeries(`${name}, validation`, validation, {width: 2.4, color}, true),
      ];
    }),
  };
}

function lineSeries(
  name: string,
  data: Point[],
  lineStyle: LineSeriesOption['lineStyle'] & {color: string},
  markers: boolean,
): LineSeriesOption {
  return {
    type: 'line',
    name,
    data,
    clip: true,
    lineStyle,
    itemStyle: {color: lineStyle.color},
    symbol: markers ? 'circle' : 'none',
    symbolSize: 5,
  };
}

function pointsOf(
  model: ReportedModel,
  coordinate: Coordinate,
  field: 'loss' | 'validationLoss',
): Point[] {
  return model.records.flatMap((record) => {
    const value = record[field];
    return value == null ? [] : [[coordinate(record, model), value] as Point];
  });
}

/** Means over a window that ends at each point. */
function smooth(points: Point[]): Point[] {
  const window = Math.max(1, Math.round(points.length * SMOOTHING));
  let sum = 0;
  return points.map(([x, y], i) => {
    sum += y - (i >= window ? points[i - window][1] : 0);
    return [x, sum / Math.min(i + 1, window)];
  });
}

/** From the lowest loss to the highest after the first steps, at halves. */
function verticalRange(curves: Point[][]): [number, number] {
  const values = curves.flatMap((points) =>
    points.slice(Math.floor(points.length * SKIPPED)).map(([, y]) => y),
  );
  return [Math.floor(Math.min(...values) * 2) / 2, Math.ceil(Math.max(...values) * 2) / 2];
}

function totalFlops({flopsPerStep, records}: ReportedModel): number {
  return flopsPerStep * (records.at(-1)?.step ?? 0);
}

/** The prefix that leaves few digits before the point. */
function engineering(value: number, unit: string): {unit: string; scale: number} {
  const prefixes = ['', 'k', 'M', 'G', 'T', 'P', 'E', 'Z'];
  const index = Math.min(Math.max(Math.floor(Math.log10(value) / 3), 0), prefixes.length - 1);
  return {unit: prefixes[index] + unit, scale: 1000 ** index};
}
