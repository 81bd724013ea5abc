import type {EChartsOption, LineSeriesOption} from 'echarts';
import type {MetricsRecord} from '../../../training/metrics_log';
import type {ChartColors} from './theme';

/** A run as the chart draws it. */
export interface Curve {
  name: string;
  color: string;
  records: readonly MetricsRecord[];
  flopsPerStep: number;
}

/** What the losses are drawn over. */
export const LOSS_AXES = {
  steps: {label: 'Steps', unit: 'steps', of: ({step}: MetricsRecord) => step},
  time: {label: 'Time', unit: 'seconds', of: ({seconds}: MetricsRecord) => seconds},
  compute: {
    label: 'Compute',
    unit: 'GFLOP',
    of: ({step}: MetricsRecord, {flopsPerStep}: Curve) => (step * flopsPerStep) / 1e9,
  },
} as const;
export type LossAxis = keyof typeof LOSS_AXES;

/** The training loss is averaged over about so many steps. */
const AVERAGED_STEPS = 15;

/** The loss of every run over one another: thin lines in training, thick ones on the held-out text. */
export function lossOption(
  curves: readonly Curve[],
  axis: LossAxis,
  {ink, faint, rule, surface}: ChartColors,
): EChartsOption {
  const text = {color: faint, fontSize: 12};
  return {
    animation: false,
    textStyle: {fontFamily: 'inherit'},
    grid: {left: 44, right: 16, top: 16, bottom: 44},
    tooltip: {
      trigger: 'axis',
      // Drawn, not HTML.
      renderMode: 'richText',
      backgroundColor: surface,
      borderColor: rule,
      textStyle: {color: ink, fontSize: 12},
      valueFormatter: (value) => Number(value).toFixed(3),
    },
    xAxis: {
      type: 'value',
      name: LOSS_AXES[axis].unit,
      nameLocation: 'middle',
      nameGap: 26,
      nameTextStyle: text,
      axisLabel: {...text, hideOverlap: true},
      axisLine: {lineStyle: {color: rule}},
      axisPointer: {label: {precision: 0}},
      splitLine: {show: false},
      max: 'dataMax',
      axisTick: {show: false},
    },
    yAxis: {
      type: 'value',
      scale: true,
      axisLine: {show: false},
      axisTick: {show: false},
      axisLabel: {...text, formatter: (value: number) => value.toFixed(1)},
      splitLine: {lineStyle: {color: rule}},
    },
    series: curves.flatMap((curve) => series(curve, axis)),
  };
}

function series(curve: Curve, axis: LossAxis): LineSeriesOption[] {
  const points = (value: (record: MetricsRecord) => number | undefined) =>
    curve.records.flatMap((record) => {
      const y = value(record);
      return y == null ? [] : [[LOSS_AXES[axis].of(record, curve), y]];
    });
  const line = {type: 'line' as const, itemStyle: {color: curve.color}, emphasis: {disabled: true}};
  return [
    {
      ...line,
      name: `${curve.name}, training`,
      data: smooth(points(({loss}) => loss)),
      showSymbol: false,
      sampling: 'lttb',
      lineStyle: {width: 1.4, opacity: 0.6, color: curve.color},
    },
    {
      ...line,
      name: `${curve.name}, validation`,
      data: points(({validationLoss}) => validationLoss),
      symbol: 'circle',
      symbolSize: 6,
      lineStyle: {width: 2.5, color: curve.color},
    },
  ];
}

/** An average that forgets; the first values count alike. */
function smooth(points: number[][]): number[][] {
  let average = 0;
  return points.map(([x, y], i) => {
    average += (y - average) / Math.min(i + 1, AVERAGED_STEPS);
    return [x, average];
  });
}
