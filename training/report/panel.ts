import type {XAXisComponentOption, YAXisComponentOption, SeriesOption} from 'echarts';
import type {MetricsRecord} from '../metrics_log';

/** One model's part of a report. */
export interface ReportedModel {
  /** What the legend calls it. */
  name: string;
  flopsPerStep: number;
  records: readonly MetricsRecord[];
}

/** One chart of the figure. Its series need no axis index: the figure sets it. */
export interface Panel {
  title: string;
  xAxis: XAXisComponentOption;
  yAxis: YAXisComponentOption;
  series: SeriesOption[];
}
