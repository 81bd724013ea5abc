import {
  type EChartsOption,
  init,
  type TitleComponentOption,
  type VisualMapComponentOption,
} from 'echarts';
import type {Axis} from './curves';
import {loadPanels} from './load_panels';
import {lossLegend, lossPanels} from './loss_panels';
import type {Panel, ReportedModel} from './panel';
import {FAINT, FONT, INK} from './style';

/** What stands above the charts. */
export interface Heading {
  title: string;
  subtitle: string;
}

/** A panel and the rectangle of its axes. */
interface PlacedPanel extends Panel {
  x: number;
  y: number;
  width: number;
  height: number;
}

const WIDTH = 1200;
const LEFT = 56;
const RIGHT = 24;
const TOP = 148;
const GAP = 56;
const LOSS_HEIGHT = 290;
/** Room for the names of the axes, and between the losses and the maps. */
const LOSS_GAP = 108;
const MAPS_GAP = 152;
const MAP_HEIGHT = 128;
const MAP_GAP = 60;

/** What ECharts adds so that its drawings answer to the mouse; this is a picture. */
const HOVER_STYLES = /<style[\s\S]*?<\/style>\n?/g;

/** The colours of the maps end where an expert has this many times its share, or that part of it. */
const EXTREME_LOAD = 4;

/**
 * Draws a report: the loss of each model over steps, floating-point operations and time, or over other
 * axes, and below it the load of the experts of each MoE layer.
 *
 * @returns An SVG that needs no other file.
 */
export function renderFigure(
  models: readonly ReportedModel[],
  heading: Heading,
  axes: readonly Axis[] = ['steps', 'compute', 'time'],
): string {
  const lossesARow = axes.length % 2 === 0 ? 2 : 3;
  const losses = placeInRows(lossPanels(models, axes), lossesARow, TOP, LOSS_HEIGHT, LOSS_GAP);
  const mapsTop = losses.at(-1)!.y + LOSS_HEIGHT + MAPS_GAP;
  const loads = models.flatMap(loadPanels);
  const mapsARow = loads.length % 4 === 0 ? 4 : 3;
  const maps = placeInRows(loads, mapsARow, mapsTop, MAP_HEIGHT, MAP_GAP);
  const bottom = Math.max(...[...losses, ...maps].map(({y, height}) => y + height));
  const height = bottom + GAP;
  const chart = init(null, null, {renderer: 'svg', ssr: true, width: WIDTH, height});
  try {
    chart.setOption(figureOption(losses, maps, mapsTop, heading));
    return chart.renderToSVGString().replace(HOVER_STYLES, '');
  } finally {
    chart.dispose();
  }
}

function placeInRows(
  panels: Panel[],
  aRow: number,
  top: number,
  height: number,
  gap: number,
): PlacedPanel[] {
  const width = (WIDTH - LEFT - RIGHT - (aRow - 1) * GAP) / aRow;
  return panels.map((panel, i) => ({
    ...panel,
    x: LEFT + (i % aRow) * (width + GAP),
    y: top + Math.floor(i / aRow) * (height + gap),
    width,
    height,
  }));
}

function figureOption(
  losses: PlacedPanel[],
  maps: PlacedPanel[],
  mapsTop: number,
  {title, subtitle}: Heading,
): EChartsOption {
  const panels = [...losses, ...maps];
  return {
    animation: false,
    backgroundColor: '#ffffff',
    textStyle: {fontFamily: FONT, color: INK},
    title: [
      heading(title, 24, 20, 22, {subtext: subtitle}),
      ...losses.map((panel) => heading(panel.title, panel.x - 32, panel.y - 36, 14)),
      ...(maps.length > 0 ? [mapsHeading(mapsTop)] : []),
      ...maps.map((panel) => heading(panel.title, panel.x - 32, panel.y - 28, 12)),
    ],
    legend: {
      data: lossLegend(losses),
      left: 20,
      top: 76,
      itemGap: 24,
      textStyle: {color: INK},
    },
    grid: panels.map(({x, y, width, height}) => ({left: x, top: y, width, height})),
    xAxis: panels.map(({xAxis}, gridIndex) => ({...xAxis, gridIndex})),
    yAxis: panels.map(({yAxis}, gridIndex) => ({...yAxis, gridIndex})),
    visualMap: maps.length > 0 ? [loadScale(losses.length, panels, mapsTop)] : [],
    series: panels.flatMap(({series}, index) =>
      series.map((one) => ({...one, xAxisIndex: index, yAxisIndex: index})),
    ) as EChartsOption['series'],
  };
}

function heading(
  text: string,
  left: number,
  top: number,
  fontSize: number,
  more: TitleComponentOption = {},
): TitleComponentOption {
  return {
    text,
    left,
    top,
    padding: 0,
    textStyle: {fontFamily: FONT, fontSize, fontWeight: 600, color: INK},
    subtextStyle: {fontFamily: FONT, fontSize: 13, color: FAINT},
    ...more,
  };
}

function mapsHeading(mapsTop: number): TitleComponentOption {
  return heading('Load of the experts', 24, mapsTop - 84, 16, {
    subtext: 'Tokens that each expert gets, beside an equal share, over the steps',
  });
}

/** The scale of the maps: white where an expert has its share, blue below, red above. */
function loadScale(
  numLosses: number,
  panels: PlacedPanel[],
  mapsTop: number,
): VisualMapComponentOption {
  const limit = Math.log2(EXTREME_LOAD);
  const seriesBefore = panels.slice(0, numLosses).reduce((sum, {series}) => sum + series.length, 0);
  return {
    type: 'continuous',
    min: -limit,
    max: limit,
    orient: 'horizontal',
    right: RIGHT,
    top: mapsTop - 84,
    itemWidth: 12,
    itemHeight: 160,
    text: [`${EXTREME_LOAD} times the share`, `1/${EXTREME_LOAD} or less`],
    textStyle: {color: FAINT, fontFamily: FONT},
    inRange: {color: ['#2166ac', '#92c5de', '#f7f7f7', '#f4a582', '#b2182b']},
    seriesIndex: panels.slice(numLosses).map((_, i) => seriesBefore + i),
  };
}
