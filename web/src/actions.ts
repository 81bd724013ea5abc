import {signal} from '@preact/signals';
import {proxy} from 'comlink';
import type {MetricsRecord} from '../../training/metrics_log';
import type {BackendName} from './backend_report';
import type {Run} from './run';
import {
  backend,
  backends,
  type Notice,
  notices,
  runs,
  type RunView,
  selectedId,
  settings,
  startProblem,
  text,
  trainingId,
} from './state';
import {addRun, deleteRun, loadRun, loadRuns, saveRun, type StoredRun} from './storage/runs';
import {withRunLock} from './storage/run_lock';
import {newId} from './storage/database';
import {askTrainer, endTrainer} from './trainer_client';
import type {TokenChoices, WritingOptions} from './worker/trainer_api';

// What the user can do.

/** Shows the runs of earlier visits and what this browser can compute on. */
export async function open() {
  await Promise.all([attempt(showStoredRuns), findBackends()]);
}

let showing: Promise<void> | undefined;

/** Shows the runs of earlier visits, unless that was done; where it fails, the next call tries again. */
function showStoredRuns(): Promise<void> {
  showing ??= loadRuns().then((stored) => {
    runs.value = stored.map(viewOf);
    selectedId.value = runs.value.at(-1)?.id;
  });
  showing.catch(() => (showing = undefined));
  return showing;
}

async function findBackends() {
  const found = await attempt(() => askTrainer((trainer) => trainer.findBackends()));
  backends.value = found ?? backends.value ?? [];
}

/** Begins a run with what the form says. */
export async function begin() {
  const name = backend.value?.name;
  if (startProblem.value != null || name == null) {
    return;
  }
  const {id: textId, name: textName, text: given} = text.value;
  const run: Omit<Run, 'number'> = {
    id: newId(),
    settings: settings.value,
    textId,
    textName,
    state: 'paused',
    step: 0,
  };
  await whileNoneTrains(run.id, async () => {
    await showStoredRuns();
    const view = viewOf({run: await addRun(run, given), records: []});
    // Else a browser that is short of room may forget the runs.
    navigator.storage?.persist?.().catch(() => undefined);
    runs.value = [...runs.value, view];
    selectedId.value = view.id;
    await trainAlone(view, name);
  });
}

/** Trains a run from its last checkpoint on. */
export async function train(view: RunView) {
  const name = backend.value?.name;
  if (name != null) {
    await whileNoneTrains(view.id, () => trainAlone(view, name));
  }
}

/** One run trains at a time, from when that is asked for on; another that is asked for does not. */
async function whileNoneTrains(id: string, act: () => Promise<void>) {
  if (trainingId.value == null) {
    trainingId.value = id;
    await attempt(act);
    trainingId.value = undefined;
  }
}

/** @throws If another tab trains the run, or has deleted it. */
async function trainAlone(view: RunView, backendName: BackendName) {
  const {state} = view.run.value;
  update(view, {state: 'waiting'});
  try {
    await withRunLock(view.id, async () => {
      const stored = await loadRun(view.id);
      if (stored == null) {
        forget(view);
        throw new Error(`${nameOf(view)} was deleted.`);
      }
      const run: Run = {
        ...stored.run,
        state: 'training',
        backend: backendName,
        problem: undefined,
      };
      await attempt(() => saveRun(run));
      // As another tab may have left it; only now, since what is shown as training can be paused.
      show(view, {...stored, run});
      await trainUntilStopped(view, backendName);
      await saveRun(view.run.value);
    });
  } finally {
    if (view.run.value.state === 'waiting') {
      update(view, {state});
    }
  }
}

async function trainUntilStopped(view: RunView, backendName: BackendName) {
  try {
    const {step, saved} = await askTrainer((trainer) =>
      trainer.train(
        view.run.value,
        backendName,
        proxy({
          onBegin: (first: number) => forgetAfter(view, first),
          onRecords: (added: MetricsRecord[]) => addRecords(view, added),
          onWarning: (message: string) => notify('warning', message),
        }),
      ),
    );
    const finished = step >= view.run.value.settings.steps;
    update(view, {step, state: finished ? 'finished' : 'paused'});
    if (!saved) {
      notify('warning', `${nameOf(view)}: its last steps are not saved. Earlier ones are kept.`);
    }
  } catch (error) {
    // What is left on a backend that failed is worth nothing, and it may be gone; the checkpoints are elsewhere.
    endTrainer(error as Error);
    void findBackends();
    const stored = await attempt(() => loadRun(view.id));
    if (stored != null) {
      show(view, stored);
    }
    update(view, {state: 'failed', problem: (error as Error).message});
  }
}

/** Asks the run that is in training to stop after its step; `train` then ends. */
export function pause() {
  void attempt(() => askTrainer((trainer) => trainer.pause()));
}

export async function remove(view: RunView) {
  await attempt(async () => {
    await withRunLock(view.id, () => deleteRun(view.run.value));
    forget(view);
  });
}

/** What `write` has to say so far; undefined while there is nothing. */
export const writing = signal<{runId: string; prompt: string; text: string} | undefined>(undefined);
export const isWriting = signal(false);

/** Lets a run's model continue a text. */
export async function write(view: RunView, prompt: string, options: WritingOptions) {
  const name = backendFor(view);
  if (name == null || isWriting.value) {
    return;
  }
  isWriting.value = true;
  const tell = (written: string) => (writing.value = {runId: view.id, prompt, text: written});
  tell('');
  const done = await attempt(() =>
    askTrainer((trainer) => trainer.write(view.run.value, name, prompt, options, proxy(tell))),
  );
  if (done != null) {
    tell(done);
  }
  isWriting.value = false;
}

/**
 * Which experts the tokens of a text go to.
 *
 * @throws If the worker cannot say.
 */
export function chooseExperts(view: RunView, sample: string): Promise<TokenChoices> {
  const name = backendFor(view)!;
  return askTrainer((trainer) => trainer.chooseExperts(view.run.value, name, sample));
}

/** Hands the weights of a run to the user as a file. */
export async function downloadWeights(view: RunView) {
  const name = backendFor(view);
  if (name != null) {
    await attempt(async () => {
      const weights = await askTrainer((trainer) => trainer.weights(view.run.value, name));
      saveAs(weights, `megablocks-run-${view.run.value.number}.safetensors`);
    });
  }
}

export function dismiss({id}: Notice) {
  notices.value = notices.value.filter((notice) => notice.id !== id);
}

/** Whether the worker can be asked about a run: it has one model at a time. */
export function isAtHand({id, run}: RunView): boolean {
  return (trainingId.value == null || trainingId.value === id) && run.value.step > 0;
}

export function nameOf({run}: RunView): string {
  return `Run ${run.value.number}`;
}

/** A run in training stays on its backend. */
function backendFor(view: RunView): BackendName | undefined {
  const {state, backend: name} = view.run.value;
  return state === 'training' ? (name as BackendName) : backend.value?.name;
}

function viewOf({run, records}: StoredRun): RunView {
  return {
    id: run.id,
    run: signal(run),
    records: signal(records),
    visible: signal(true),
  };
}

function show(view: RunView, {run, records}: StoredRun) {
  view.run.value = run;
  view.records.value = records;
}

function forget(view: RunView) {
  runs.value = runs.value.filter(({id}) => id !== view.id);
  if (selectedId.value === view.id) {
    selectedId.value = runs.value.at(-1)?.id;
  }
}

function update(view: RunView, changes: Partial<Run>) {
  view.run.value = {...view.run.value, ...changes};
}

/** A run that goes on from a checkpoint makes the steps after it anew. */
function forgetAfter(view: RunView, step: number) {
  view.records.value = view.records.value.filter((record) => record.step <= step);
  update(view, {step});
}

function addRecords(view: RunView, added: MetricsRecord[]) {
  view.records.value = [...view.records.value, ...added];
  update(view, {step: view.records.value.at(-1)!.step});
}

let lastNotice = 0;

function notify(kind: Notice['kind'], message: string) {
  const others = notices.value.filter((notice) => notice.text !== message);
  notices.value = [...others, {id: ++lastNotice, kind, text: message}];
}

/** Tells the user where something fails. */
async function attempt<T>(act: () => Promise<T> | T): Promise<T | undefined> {
  try {
    return await act();
  } catch (error) {
    notify('problem', (error as Error).message);
    return undefined;
  }
}

function saveAs(contents: Blob, name: string) {
  const url = URL.createObjectURL(contents);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The browser reads it after this.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
