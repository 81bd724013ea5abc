import type {EChartsOption} from 'echarts';
import type {Panel} from '../../../training/report/panel';
import type {ChartColors} from './theme';

/** The colours end where an expert has this many times its share, or that part of it. */
export const EXTREME_LOAD = 4;

/** One layer's load over time. */
export function loadOption(
  {xAxis, yAxis, series}: Panel,
  {faint, loads}: ChartColors,
): EChartsOption {
  const limit = Math.log2(EXTREME_LOAD);
  const label = {color: faint, fontSize: 11};
  return {
    animation: false,
    textStyle: {fontFamily: 'inherit'},
    grid: {left: 28, right: 8, top: 6, bottom: 24},
    xAxis: withLabel(xAxis, label),
    yAxis: withLabel(yAxis, label),
    visualMap: {
      show: false,
      type: 'continuous',
      min: -limit,
      max: limit,
      inRange: {color: loads},
    },
    series,
  } as EChartsOption;
}

/** An axis of a report, in the colours of the page. */
function withLabel<Axis extends {axisLabel?: object}>(axis: Axis, label: object): Axis {
  return {...axis, axisLabel: {...axis.axisLabel, ...label}};
}
