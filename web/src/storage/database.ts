import {type DBSchema, type IDBPDatabase, openDB} from 'idb';
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

export type Database = IDBPDatabase<Schema>;

const NAME = 'tfjs-megablocks';
const VERSION = 1;

let opening: Promise<Database> | undefined;

/** The page's part of the browser's storage; the page and its worker open the same. */
export function openDatabase(): Promise<Database> {
  opening ??= openDB<Schema>(NAME, VERSION, {
    upgrade: (database) => {
      database.createObjectStore('runs', {keyPath: 'id'});
      database.createObjectStore('texts', {keyPath: 'id'});
      database.createObjectStore('files');
    },
    terminated: () => (opening = undefined),
  });
  return opening;
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
