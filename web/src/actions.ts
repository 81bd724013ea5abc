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
import {
  deleteRun,
  describeStorageError,
  loadMetrics,
  loadRuns,
  saveRun,
  saveText,
} from './storage/runs';
import {newId} from './storage/database';
import {askTrainer, endTrainer} from './trainer_client';
import type {TokenChoices, WritingOptions} from './worker/trainer_api';

// What the user can do.

/** Shows the runs of earlier visits and what this browser can compute on. */
export async function open() {
  const found = findBackends();
  await attempt(async () => {
    const stored = await loadRuns();
    runs.value = await Promise.all(
      stored.map(async (run) => {
        const records = await loadMetrics(run.id);
        return viewOf(asLeft(run, records), records);
      }),
    );
    selectedId.value = runs.value.at(-1)?.id;
  }, describeStorageError);
  await found;
}

async function findBackends() {
  const found = await attempt(() => askTrainer((trainer) => trainer.findBackends()));
  backends.value = found ?? backends.value;
}

/** Begins a run with what the form says. */
export async function begin() {
  if (startProblem.value != null || trainingId.value != null) {
    return;
  }
  const {name: textName, text: given, id} = text.value;
  const run: Run = {
    id: newId(),
    number: Math.max(0, ...runs.value.map((view) => view.run.value.number)) + 1,
    settings: settings.value,
    textId: id ?? newId(),
    textName,
    state: 'waiting',
    step: 0,
  };
  const stored = await attempt(async () => {
    if (id == null) {
      await saveText(run.textId, textName, given!);
      text.value = {...text.value, id: run.textId};
    }
    await saveRun(run);
    // Else a browser that is short of room may forget the runs.
    void navigator.storage?.persist?.();
    return true;
  }, describeStorageError);
  if (stored) {
    const view = viewOf(run, []);
    runs.value = [...runs.value, view];
    selectedId.value = view.id;
    await train(view);
  }
}

/** Trains a run from its last checkpoint on. */
export async function train(view: RunView) {
  const name = backend.value?.name;
  if (name == null || trainingId.value != null) {
    return;
  }
  trainingId.value = view.id;
  update(view, {state: 'training', backend: name, problem: undefined});
  try {
    const {step, saved} = await askTrainer((trainer) =>
      trainer.train(
        view.run.value,
        name,
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
    const {message} = error as Error;
    update(view, {state: 'failed', problem: message});
    // What is left on a backend that failed is worth nothing, and it may be gone; the checkpoints are elsewhere.
    endTrainer(error as Error);
    void findBackends();
  } finally {
    trainingId.value = undefined;
    await attempt(() => saveRun(view.run.value), describeStorageError);
  }
}

/** Asks the run that is in training to stop after its step; `train` then ends. */
export function pause() {
  void attempt(() => askTrainer((trainer) => trainer.pause()));
}

export async function remove(view: RunView) {
  await attempt(async () => {
    await deleteRun(view.run.value);
    const {textId} = view.run.value;
    runs.value = runs.value.filter(({id}) => id !== view.id);
    if (text.value.source !== 'built-in' && text.value.id === textId) {
      // It may be gone with the run.
      text.value = {...text.value, id: undefined};
    }
    if (selectedId.value === view.id) {
      selectedId.value = runs.value.at(-1)?.id;
    }
  }, describeStorageError);
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
  const show = (written: string) => (writing.value = {runId: view.id, prompt, text: written});
  show('');
  const done = await attempt(() =>
    askTrainer((trainer) => trainer.write(view.run.value, name, prompt, options, proxy(show))),
  );
  if (done != null) {
    show(done);
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
  const {id, run} = view;
  return trainingId.value === id ? (run.value.backend as BackendName) : backend.value?.name;
}

function viewOf(run: Run, records: readonly MetricsRecord[]): RunView {
  return {
    id: run.id,
    run: signal(run),
    records: signal(records),
    visible: signal(true),
  };
}

/** A run as its last checkpoint has it: the page may have been closed in the middle of it. */
function asLeft(run: Run, records: readonly MetricsRecord[]): Run {
  const left = {...run, step: records.at(-1)?.step ?? 0};
  return run.state === 'training' || run.state === 'waiting' ? {...left, state: 'paused'} : left;
}

function update(view: RunView, changes: Partial<Run>) {
  view.run.value = {...view.run.value, ...changes};
}

/** A run that goes on from a checkpoint makes the steps after it anew. */
function forgetAfter(view: RunView, step: number) {
  view.records.value = view.records.value.filter((record) => record.step <= step);
  update(view, {step});
  void attempt(() => saveRun(view.run.value), describeStorageError);
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
async function attempt<T>(
  act: () => Promise<T> | T,
  describe = (error: unknown) => (error as Error).message,
): Promise<T | undefined> {
  try {
    return await act();
  } catch (error) {
    notify('problem', describe(error));
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
