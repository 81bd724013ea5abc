import {useSignal} from '@preact/signals';
import {useMemo} from 'preact/hooks';
import {nameOf} from '../actions';
import {LOSS_AXES, type LossAxis, lossOption} from '../charts/loss_option';
import {chartColors} from '../charts/theme';
import {runColor} from '../run_colors';
import {summarize} from '../run_summary';
import {flopsPerStep} from '../settings';
import {runs} from '../state';
import {Chart} from './chart';
import {Choice} from './choice';

const AXES = (Object.keys(LOSS_AXES) as LossAxis[]).map((value) => ({
  value,
  label: LOSS_AXES[value].label,
}));

/** The loss of the runs over one another. */
export function LossCard() {
  const axis = useSignal<LossAxis>('steps');
  const shown = runs.value.filter(({visible}) => visible.value);
  const records = shown.map((view) => view.records.value);
  const colors = chartColors.value;
  const option = useMemo(() => {
    const curves = shown.map((view) => ({
      name: nameOf(view),
      color: colors.runs[runColor(view.run.value) - 1],
      records: view.records.value,
      flopsPerStep: flopsPerStep(view.run.value.settings),
    }));
    return lossOption(curves, axis.value, colors);
  }, [axis.value, colors, ...records]);
  const summary = shown.map((view) => {
    const {loss} = summarize(view.records.value, view.run.value.settings);
    return `${nameOf(view)} ${loss?.toFixed(2) ?? 'not begun'}`;
  });
  return (
    <section class="card" aria-labelledby="loss-title">
      <div class="card-head">
        <h2 id="loss-title">Loss</h2>
        <Choice
          legend="Over"
          hideLegend
          options={AXES}
          value={axis.value}
          onChange={(value) => (axis.value = value)}
        />
      </div>
      {shown.length === 0 ? (
        <p class="empty">No run is drawn.</p>
      ) : (
        <Chart option={option} height={300} label={`Loss by run: ${summary.join(', ')}`} />
      )}
      <p class="hint key">
        <i class="thin" /> in training <i class="thick" /> on the held-out tenth
      </p>
    </section>
  );
}
