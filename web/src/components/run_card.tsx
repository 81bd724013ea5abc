import {useEffect, useRef} from 'preact/hooks';
import {formatDuration, formatPerplexity} from '../../../training/format';
import {downloadWeights, isAtHand, nameOf, pause, train} from '../actions';
import {BACKEND_LABELS, type BackendName} from '../backend_report';
import type {RunState} from '../run';
import {runColor} from '../run_colors';
import {summarize} from '../run_summary';
import {describeModel, SIZES} from '../settings';
import {backend, type RunView, selected, trainingId} from '../state';

const STATES: Record<RunState, string> = {
  waiting: 'Waiting',
  training: 'Training',
  paused: 'Paused',
  finished: 'Finished',
  failed: 'Stopped',
};

/** The selected run: how far it is, what it has come to, and what one can do with it. */
export function RunCard() {
  const view = selected.value;
  return view == null ? null : <SelectedRun key={view.id} view={view} />;
}

function SelectedRun({view}: {view: RunView}) {
  const run = view.run.value;
  const {settings, state, step} = run;
  const summary = summarize(view.records.value, settings);
  const where = run.backend == null ? '' : ` · ${BACKEND_LABELS[run.backend as BackendName]}`;
  const title = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    // On a phone the form is above, and fills the window.
    if (state === 'training') {
      title.current!.scrollIntoView({block: 'nearest'});
    }
  }, [state]);
  const preparing = state === 'training' && summary.loss == null;
  return (
    <section class="card run" aria-labelledby="run-title">
      <div class="run-head">
        <div>
          <h2 id="run-title" ref={title}>
            <i class="swatch" style={{background: `var(--run-${runColor(run)})`}} />
            {nameOf(view)}
            <span class={`state ${state}`} role="status">
              {STATES[state]}
            </span>
          </h2>
          <p class="hint">
            {describeModel(settings)} · {SIZES[settings.size].label} · <bdi>{run.textName}</bdi>
            {where}
          </p>
        </div>
        <Controls view={view} />
      </div>
      {run.problem != null && (
        <p class="problem" role="alert">
          {run.problem}
        </p>
      )}
      <progress
        max={settings.steps}
        value={preparing ? undefined : step}
        aria-label={`Steps of ${nameOf(view)}`}
      />
      <dl class="figures">
        <Figure name="Step" value={step.toLocaleString('en')}>
          of {settings.steps.toLocaleString('en')}
        </Figure>
        <Figure name="Loss" value={summary.loss?.toFixed(3)}>
          nats per token
        </Figure>
        <Figure
          name="Perplexity"
          value={summary.validationLoss && formatPerplexity(summary.validationLoss)}
        >
          on the held-out tenth
        </Figure>
        <Figure
          name="Speed"
          value={
            summary.tokensPerSecond && Math.round(summary.tokensPerSecond).toLocaleString('en')
          }
        >
          tokens per second
        </Figure>
        {state === 'finished' ? (
          <Figure name="Took" value={formatDuration(view.records.value.at(-1)?.seconds ?? 0)}>
            in steps
          </Figure>
        ) : (
          <Figure name="Left" value={summary.secondsLeft && formatDuration(summary.secondsLeft)}>
            {preparing ? 'reading the text, building the model' : 'at this speed'}
          </Figure>
        )}
      </dl>
    </section>
  );
}

function Controls({view}: {view: RunView}) {
  const {state} = view.run.value;
  const busy = trainingId.value != null;
  const resumable = state === 'paused' || state === 'failed';
  return (
    <div class="controls">
      {state === 'training' && (
        <button type="button" class="primary" onClick={pause}>
          Pause
        </button>
      )}
      {resumable && (
        <button
          type="button"
          class="primary"
          disabled={busy || backend.value == null}
          onClick={() => void train(view)}
        >
          Resume
        </button>
      )}
      <button
        type="button"
        disabled={!isAtHand(view) || backend.value == null}
        onClick={() => void downloadWeights(view)}
      >
        Download weights
      </button>
    </div>
  );
}

interface FigureProps {
  name: string;
  value: string | number | undefined;
  children: preact.ComponentChildren;
}

function Figure({name, value, children}: FigureProps) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <b>{value || '–'}</b>
        <span>{children}</span>
      </dd>
    </div>
  );
}
