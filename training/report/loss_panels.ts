import type {LegendComponentOption, LineSeriesOption} from 'echarts';
import {type Axis, lossCurve, type Point} from './curves';
import type {Panel, ReportedModel} from './panel';
import {COLORS, FAINT, RULE} from './style';

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

const TITLES: Record<Axis, string> = {
  steps: 'Loss over steps',
  tokens: 'Loss over tokens',
  compute: 'Loss over compute',
  time: 'Loss over training time',
};

/** The loss of every model over each axis. */
export function lossPanels(models: readonly ReportedModel[], axes: readonly Axis[]): Panel[] {
  return axes.map((axis) => lossPanel(models, axis));
}

/** The unit that suits the largest value of an axis, and how much of the axis it is. */
function unitOf(axis: Axis, largest: number): {unit: string; scale: number} {
  switch (axis) {
    case 'steps':
      return {unit: 'steps', scale: 1};
    case 'tokens':
      return engineering(largest, ' tokens');
    case 'compute':
      return engineering(largest, 'FLOP');
    case 'time':
      return largest > 300 ? {unit: 'minutes', scale: 60} : {unit: 'seconds', scale: 1};
  }
}

function lossPanel(models: readonly ReportedModel[], axis: Axis): Panel {
  const largest = Math.max(
    0,
    ...models.map((model) => lossCurve(model, axis, 'loss').at(-1)?.[0] ?? 0),
  );
  const {unit, scale} = unitOf(axis, largest);
  const curveOf = (model: ReportedModel, field: 'loss' | 'validationLoss') =>
    lossCurve(model, axis, field).map(([x, y]): Point => [x / scale, y]);
  const curves = models.map((model) => ({
    name: model.name,
    training: smooth(curveOf(model, 'loss')),
    validation: curveOf(model, 'validationLoss'),
  }));
  const [low, high] = verticalRange(curves.flatMap((curve) => [curve.training, curve.validation]));
  const end = Math.max(...curves.map(({training}) => training.at(-1)?.[0] ?? 0));
  return {
    title: TITLES[axis],
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
  let low = Infinity;
  let high = -Infinity;
  for (const points of curves) {
    for (const [, y] of points.slice(Math.floor(points.length * SKIPPED))) {
      low = Math.min(low, y);
      high = Math.max(high, y);
    }
  }
  return [Math.floor(low * 2) / 2, Math.ceil(high * 2) / 2];
}

/** The prefix that leaves few digits before the point. */
function engineering(value: number, unit: string): {unit: string; scale: number} {
  const prefixes = ['', 'k', 'M', 'G', 'T', 'P', 'E', 'Z'];
  const index = Math.min(Math.max(Math.floor(Math.log10(value) / 3), 0), prefixes.length - 1);
  return {unit: (prefixes[index] + unit).trim(), scale: 1000 ** index};
}
