import {init} from 'echarts';
import type {Result} from './harness';
import type {Report} from './report';

const WIDTH = 900;
const HEADER = 76;
const TITLE = 44;
const BAR = 26;
const LABELS = 320;
const MARGIN = 20;
const BASELINE_COLOR = '#9aa5b1';
const COLOR = '#2f6fde';

/** One bar chart a comparison, below each other, as an SVG. */
export function plotReport({benchmark, machine, results}: Report): string {
  const heights = results.map(({measurements}) => TITLE + BAR * measurements.length);
  const tops = heights.map((_, i) => HEADER + heights.slice(0, i).reduce((a, b) => a + b, 0));
  const height = HEADER + heights.reduce((a, b) => a + b, 0);
  const chart = init(null, null, {renderer: 'svg', ssr: true, width: WIDTH, height});
  chart.setOption({
    animation: false,
    backgroundColor: '#fff',
    textStyle: {fontFamily: 'sans-serif'},
    title: [
      {text: benchmark, subtext: `${machine.backend}, ${machine.gpu ?? machine.cpu}`, left: MARGIN},
      ...results.map((result, i) => ({
        text: `${result.title}, ${rate(result).unit}`,
        textStyle: {fontSize: 13},
        left: MARGIN,
        top: tops[i],
      })),
    ],
    grid: results.map(({measurements}, i) => ({
      left: LABELS,
      right: 80,
      top: tops[i] + 24,
      height: BAR * measurements.length,
    })),
    xAxis: results.map((_, gridIndex) => ({gridIndex, show: false})),
    yAxis: results.map(({measurements}, gridIndex) => ({
      gridIndex,
      type: 'category',
      inverse: true,
      axisTick: {show: false},
      data: measurements.map(({name}) => name),
    })),
    series: results.map((result, i) => ({
      type: 'bar',
      xAxisIndex: i,
      yAxisIndex: i,
      label: {show: true, position: 'right'},
      data: rate(result).values.map((value, row) => ({
        value: Number(value.toPrecision(3)),
        itemStyle: {color: row === 0 && result.hasBaseline !== false ? BASELINE_COLOR : COLOR},
      })),
    })),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}

/** What the bars of a comparison show: a rate where there is one, otherwise the time. */
function rate({measurements}: Result): {unit: string; values: number[]} {
  if (measurements[0].gflops != null) {
    return {unit: 'GFLOP/s', values: measurements.map(({gflops}) => gflops!)};
  }
  if (measurements[0].gbps != null) {
    return {unit: 'GB/s', values: measurements.map(({gbps}) => gbps!)};
  }
  return {unit: 'ms', values: measurements.map(({medianMs}) => medianMs)};
}
