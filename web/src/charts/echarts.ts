import {HeatmapChart, LineChart} from 'echarts/charts';
import {
  AriaComponent,
  GridComponent,
  TitleComponent,
  TooltipComponent,
  VisualMapComponent,
} from 'echarts/components';
import {init, use} from 'echarts/core';
import {CanvasRenderer} from 'echarts/renderers';

// Only what the page draws, so that the rest of ECharts is not in it.
use([
  AriaComponent,
  CanvasRenderer,
  GridComponent,
  HeatmapChart,
  LineChart,
  TitleComponent,
  TooltipComponent,
  VisualMapComponent,
]);

export {init};
