import {type DBSchema, type IDBPDatabase, type IDBPTransaction, openDB, type StoreNames} from 'idb';
import type {Run} from '../run';

/** A text that runs are trained on. */
export interface StoredText {
  id: string;
  name: string;
  text: string;
}

interface Schema extends DBSchema {
  runs: {key: string; value: Run};
  texts: {key: string; value: StoredText};
  /** The files of the runs: checkpoints, metrics and tokenizers. */
  files: {key: [runId: string, name: string]; value: Uint8Array};
}

type Database = IDBPDatabase<Schema>;
type Mode = 'readonly' | 'readwrite';
export type Transaction<M extends Mode> = IDBPTransaction<Schema, StoreNames<Schema>[], M>;

const NAME = 'tfjs-megablocks';
const VERSION = 1;
const STORES: StoreNames<Schema>[] = ['runs', 'texts', 'files'];

/**
 * Reads or writes what the page and its worker keep in this browser, in one transaction: the storage has all
 * of it or nothing.
 *
 * @param act Awaits only what it asks of the transaction.
 * @throws An error that says in words what the storage refused.
 */
export async function inStorage<M extends Mode, T>(
  mode: M,
  act: (transaction: Transaction<M>) => Promise<T>,
): Promise<T> {
  try {
    return await transact((await open()).transaction(STORES, mode), act);
  } catch (error) {
    throw new Error(describeError(error as Error), {cause: error});
  }
}

async function transact<M extends Mode, T>(
  transaction: Transaction<M>,
  act: (transaction: Transaction<M>) => Promise<T>,
): Promise<T> {
  const {done} = transaction;
  done.catch(() => undefined); // It is awaited only where `act` succeeds.
  try {
    const result = await act(transaction);
    await done;
    return result;
  } catch (error) {
    // Where the storage aborts, its requests do not say why.
    const reason = transaction.error ?? error;
    abort(transaction);
    throw reason;
  }
}

function abort(transaction: Transaction<Mode>) {
  try {
    transaction.abort();
  } catch {
    // It has ended by itself.
  }
}

let opening: Promise<Database> | undefined;

/** Opens the storage, anew where that has failed or the browser has closed it. */
function open(): Promise<Database> {
  const forget = () => (opening = undefined);
  if (opening == null) {
    opening = openDB<Schema>(NAME, VERSION, {
      upgrade: (database) => {
        database.createObjectStore('runs', {keyPath: 'id'});
        database.createObjectStore('texts', {keyPath: 'id'});
        database.createObjectStore('files');
      },
      terminated: forget,
    });
    opening.catch(forget);
  }
  return opening;
}

function describeError({name, message}: Error): string {
  return name === 'QuotaExceededError'
    ? "The browser's storage is full. Deleting runs that are no longer needed makes room."
    : `The browser's storage refused: ${message || name}.`;
}

/** All keys of a run's files. */
export function filesOf(runId: string): IDBKeyRange {
  return IDBKeyRange.bound([runId], [runId, []]);
}

/** An id that no other has. Unlike `crypto.randomUUID` it is there on pages without HTTPS, too. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
