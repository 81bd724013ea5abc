import {METRICS_FILE, type MetricsRecord, parseMetrics} from '../../../training/metrics_log';
import type {Run} from '../run';
import {isKnown} from '../settings';
import {filesOf, inStorage, type StoredText, type Transaction} from './database';

// What the page itself keeps and looks up; a run's files are written by the worker.

/** A run as its last checkpoint has it, with what it had logged by then. */
export interface StoredRun {
  run: Run;
  records: readonly MetricsRecord[];
}

/** All runs that the page knows how to show, in the order in which they were begun. */
export function loadRuns(): Promise<StoredRun[]> {
  return inStorage('readonly', async (transaction) => {
    const all = await transaction.objectStore('runs').getAll();
    const runs = all.filter(({settings}) => isKnown(settings));
    runs.sort((a, b) => a.number - b.number);
    return Promise.all(runs.map((run) => withRecords(transaction, run)));
  });
}

/** Undefined where there is no such run any more. */
export function loadRun(id: string): Promise<StoredRun | undefined> {
  return inStorage('readonly', async (transaction) => {
    const run = await transaction.objectStore('runs').get(id);
    return run && withRecords(transaction, run);
  });
}

async function withRecords(transaction: Transaction<'readonly'>, run: Run): Promise<StoredRun> {
  const file = await transaction.objectStore('files').get([run.id, METRICS_FILE]);
  const records = parseMetrics(file);
  return {run: asLeft(run, records.at(-1)?.step ?? 0), records};
}

/** The page may have been closed in the middle of a run, or the storage too full for its last steps. */
function asLeft(run: Run, step: number): Run {
  if (step >= run.settings.steps) {
    return {...run, step, state: 'finished'};
  }
  return {...run, step, state: run.state === 'failed' ? 'failed' : 'paused'};
}

/**
 * Keeps a new run, and its text where the storage lacks it.
 *
 * @returns The run with its number, which no other has, of another tab neither.
 */
export function addRun(run: Omit<Run, 'number'>, text: string | undefined): Promise<Run> {
  return inStorage('readwrite', async (transaction) => {
    const runs = transaction.objectStore('runs');
    const texts = transaction.objectStore('texts');
    const others = await runs.getAll();
    const number = Math.max(0, ...others.map((other) => other.number)) + 1;
    const added = {...run, number};
    await runs.add(added);
    if (text != null && (await texts.count(run.textId)) === 0) {
      await texts.add({id: run.textId, name: run.textName, text});
    }
    return added;
  });
}

/** Keeps a run as it stands now. */
export async function saveRun(run: Run): Promise<void> {
  await inStorage('readwrite', (transaction) => transaction.objectStore('runs').put(run));
}

/** Removes a run with its files, and its text where no other run has it. */
export function deleteRun({id, textId}: Run): Promise<void> {
  return inStorage('readwrite', async (transaction) => {
    const runs = transaction.objectStore('runs');
    await runs.delete(id);
    await transaction.objectStore('files').delete(filesOf(id));
    const others = await runs.getAll();
    if (!others.some((run) => run.textId === textId)) {
      await transaction.objectStore('texts').delete(textId);
    }
  });
}

export function loadText(id: string): Promise<StoredText | undefined> {
  return inStorage('readonly', (transaction) => transaction.objectStore('texts').get(id));
}
