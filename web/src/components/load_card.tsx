import {useMemo} from 'preact/hooks';
import {loadPanels} from '../../../training/report/load_panels';
import type {Panel} from '../../../training/report/panel';
import {nameOf} from '../actions';
import {EXTREME_LOAD, loadOption} from '../charts/load_option';
import {chartColors} from '../charts/theme';
import {flopsPerStep} from '../settings';
import {selected} from '../state';
import {Chart} from './chart';

/** How many tokens each expert gets over time, a map a layer. */
export function LoadCard() {
  const view = selected.value;
  if (view == null || view.run.value.settings.model === 'dense') {
    return null;
  }
  const {settings} = view.run.value;
  const records = view.records.value.filter(({tokensPerExpert}) => tokensPerExpert != null);
  return (
    <section class="card" aria-labelledby="load-title">
      <h2 id="load-title">Load of the experts</h2>
      <p class="hint">
        Tokens that each expert of {nameOf(view)} gets, beside an equal share, over the steps.
      </p>
      <Maps
        key={view.id}
        experts={settings.experts}
        // The maps change only when there is a new column.
        columns={records.length}
        panels={() => loadPanels({name: '', flopsPerStep: flopsPerStep(settings), records})}
      />
      <div class="scale" aria-hidden="true">
        <span>1/{EXTREME_LOAD} or less</span>
        <i />
        <span>{EXTREME_LOAD} times the share</span>
      </div>
    </section>
  );
}

interface MapsProps {
  experts: number;
  columns: number;
  panels: () => Panel[];
}

function Maps({experts, columns, panels}: MapsProps) {
  const colors = chartColors.value;
  const options = useMemo(
    () => panels().map((panel) => loadOption(panel, colors)),
    [columns, colors],
  );
  if (columns === 0) {
    return <p class="empty">The first steps will show here.</p>;
  }
  return (
    <div class="maps">
      {options.map((option, layer) => (
        <figure key={layer}>
          <figcaption>Layer {layer + 1}</figcaption>
          <Chart
            option={option}
            height={Math.min(40 + 10 * experts, 240)}
            label={`Load of ${experts} experts in layer ${layer + 1} over time`}
          />
        </figure>
      ))}
    </div>
  );
}
