import type {Panel, ReportedModel} from './panel';
import {FAINT} from './style';

/** A map has so many columns at most; where there are more samples, neighbours are averaged. */
const MAX_COLUMNS = 48;
/** And a model's maps so many cells together, lest the file be too large to look at. */
const MAX_CELLS = 20000;

/** One column of a map: the tokens of each expert, layer by layer, up to a step. */
interface Column {
  step: number;
  tokensPerExpert: number[][];
}

/** The load of the experts over the steps, a heat map a MoE layer; none for a dense model. */
export function loadPanels(model: ReportedModel): Panel[] {
  const columns = averageColumns(
    model.records.flatMap(({step, tokensPerExpert}) =>
      tokensPerExpert == null ? [] : [{step, tokensPerExpert}],
    ),
  );
  const numLayers = columns[0]?.tokensPerExpert.length ?? 0;
  return Array.from({length: numLayers}, (_, layer) => loadPanel(model.name, columns, layer));
}

function loadPanel(name: string, columns: Column[], layer: number): Panel {
  const numExperts = columns[0].tokensPerExpert[layer].length;
  const axis = {
    type: 'category' as const,
    axisTick: {show: false},
    axisLine: {show: false},
  };
  return {
    title: `${name}, layer ${layer + 1}`,
    xAxis: {
      ...axis,
      data: columns.map(({step}) => String(step)),
      axisLabel: {
        color: FAINT,
        interval: (index: number) => index === 0 || index === columns.length - 1,
        alignMinLabel: 'left',
        alignMaxLabel: 'right',
      },
    },
    yAxis: {
      ...axis,
      data: Array.from({length: numExperts}, (_, expert) => String(expert + 1)),
      axisLabel: {
        color: FAINT,
        interval: (index: number) => index === 0 || index === numExperts - 1,
      },
    },
    series: [
      {
        type: 'heatmap',
        data: columns.flatMap(({tokensPerExpert}, x) =>
          relativeLoad(tokensPerExpert[layer]).map((load, y) => [x, y, load]),
        ),
      },
    ],
  };
}

/** Each expert's tokens beside an equal share, in doublings: 0 is balanced, 1 twice the share. */
function relativeLoad(tokens: number[]): number[] {
  const share = tokens.reduce((sum, count) => sum + count, 0) / tokens.length;
  return tokens.map((count) => Math.log2(Math.max(count / share, 1e-3)));
}

function averageColumns(columns: Column[]): Column[] {
  const rows = columns[0]?.tokensPerExpert.flat().length ?? 1;
  const maxColumns = Math.max(1, Math.min(MAX_COLUMNS, Math.floor(MAX_CELLS / rows)));
  const size = Math.max(1, Math.ceil(columns.length / maxColumns));
  return Array.from({length: Math.ceil(columns.length / size)}, (_, i) => {
    const group = columns.slice(i * size, (i + 1) * size);
    const sum = (layer: number, expert: number) =>
      group.reduce((total, column) => total + column.tokensPerExpert[layer][expert], 0);
    return {
      step: group.at(-1)!.step,
      tokensPerExpert: group[0].tokensPerExpert.map((tokens, layer) =>
        tokens.map((_, expert) => sum(layer, expert)),
      ),
    };
  });
}
