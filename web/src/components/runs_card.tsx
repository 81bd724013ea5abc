import {formatPerplexity} from '../../../training/format';
import {nameOf, remove} from '../actions';
import {runColor} from '../run_colors';
import {summarize} from '../run_summary';
import {describeModel} from '../settings';
import {runs, type RunView, selectedId, trainingId} from '../state';

/** All runs that the browser keeps: which are drawn, and which is looked at. */
export function RunsCard() {
  return (
    <section class="card" aria-labelledby="runs-title">
      <h2 id="runs-title">Runs</h2>
      <p class="hint">Kept in this browser, with their checkpoints.</p>
      <div class="scroll" tabIndex={0} role="region" aria-label="Table of the runs">
        <table class="runs">
          <thead>
            <tr>
              <th scope="col">Drawn</th>
              <th scope="col">Run</th>
              <th scope="col">Model</th>
              <th scope="col" class="number">
                Step
              </th>
              <th scope="col" class="number">
                Loss
              </th>
              <th scope="col" class="number">
                Perplexity
              </th>
              <th scope="col">
                <span class="hidden">Delete</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {runs.value.map((view) => (
              <Row key={view.id} view={view} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Row({view}: {view: RunView}) {
  const run = view.run.value;
  const {loss, validationLoss} = summarize(view.records.value, run.settings);
  const name = nameOf(view);
  const isSelected = selectedId.value === view.id;
  return (
    <tr class={isSelected ? 'selected' : undefined}>
      <td>
        <input
          type="checkbox"
          aria-label={`Draw ${name}`}
          checked={view.visible.value}
          style={{accentColor: `var(--run-${runColor(run)})`}}
          onChange={({currentTarget}) => (view.visible.value = currentTarget.checked)}
        />
      </td>
      <th scope="row">
        <button
          type="button"
          class="link"
          aria-pressed={isSelected}
          onClick={() => (selectedId.value = view.id)}
        >
          {name}
        </button>
      </th>
      <td>{describeModel(run.settings)}</td>
      <td class="number">{run.step.toLocaleString('en')}</td>
      <td class="number">{loss?.toFixed(3) ?? '–'}</td>
      <td class="number">{validationLoss == null ? '–' : formatPerplexity(validationLoss)}</td>
      <td>
        <button
          type="button"
          class="quiet"
          aria-label={`Delete ${name}`}
          disabled={trainingId.value === view.id}
          onClick={({currentTarget}) => {
            if (confirm(`Delete ${name} and its checkpoints?`)) {
              // The button goes with the run.
              currentTarget.closest<HTMLElement>('[role=region]')!.focus();
              void remove(view);
            }
          }}
        >
          Delete
        </button>
      </td>
    </tr>
  );
}
