import type {MetricsRecord} from '../../../training/metrics_log';
import {METRICS_FILE, type Run} from '../run';
import {filesOf, openDatabase, type StoredText} from './database';

// What the page itself keeps and looks up; a run's files are written by the worker.

/** All runs, in the order in which they were begun. */
export async function loadRuns(): Promise<Run[]> {
  const runs = await (await openDatabase()).getAll('runs');
  return runs.sort((a, b) => a.number - b.number);
}

/** Keeps a run as it stands now. */
export async function saveRun(run: Run): Promise<void> {
  await (await openDatabase()).put('runs', run);
}

/** Removes a run with its files, and its text where no other run has it. */
export async function deleteRun({id, textId}: Run): Promise<void> {
  const database = await openDatabase();
  const transaction = database.transaction(['runs', 'files', 'texts'], 'readwrite');
  const runs = transaction.objectStore('runs');
  await runs.delete(id);
  await transaction.objectStore('files').delete(filesOf(id));
  const others = await runs.getAll();
  if (!others.some((run) => run.textId === textId)) {
    await transaction.objectStore('texts').delete(textId);
  }
  await transaction.done;
}

/** What a run has logged up to its last checkpoint. */
export async function loadMetrics(runId: string): Promise<MetricsRecord[]> {
  const file = await (await openDatabase()).get('files', [runId, METRICS_FILE]);
  return new TextDecoder()
    .decode(file)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as MetricsRecord);
}

/** Keeps a text for the runs that are trained on it. */
export async function saveText(id: string, name: string, text: string): Promise<void> {
  await (await openDatabase()).put('texts', {id, name, text});
}

export async function loadText(id: string): Promise<StoredText | undefined> {
  return (await openDatabase()).get('texts', id);
}

/** Says in words what the storage refused. */
export function describeStorageError(error: unknown): string {
  const {name, message} = error as Error;
  return name === 'QuotaExceededError'
    ? "The browser's storage is full. Deleting runs that are no longer needed makes room."
    : `The browser's storage refused: ${message || name}.`;
}
