import type {FileContents, RunStorage} from '../../../training/run_storage';
import {filesOf, inStorage} from '../storage/database';
import {isBackendLost} from './backends';

/**
 * The files of a run in the browser's storage. All are in memory as well, since a run reads and lists
 * them at once. Bytes, the checkpoints, are written at once and whole or not at all; text waits for
 * the next checkpoint or `flush` and goes with it, so that the metrics always fit the checkpoint.
 */
export class RunFiles implements RunStorage {
  /** Text that the storage does not have yet. */
  private readonly waiting = new Set<string>();
  private removing: Promise<unknown> = Promise.resolve();

  private constructor(
    readonly path: string,
    /** Each file as parts, so that adding to one does not copy it. */
    private readonly files: Map<string, Uint8Array[]>,
    private readonly onFailure: (message: string) => void,
  ) {}

  /** @param onFailure Hears of what could not be written; the run goes on. */
  static async open(runId: string, onFailure: (message: string) => void): Promise<RunFiles> {
    const [keys, values] = await inStorage('readonly', (transaction) => {
      const store = transaction.objectStore('files');
      return Promise.all([store.getAllKeys(filesOf(runId)), store.getAll(filesOf(runId))]);
    });
    const files = new Map(keys.map(([, name], i) => [name, [values[i]]]));
    return new RunFiles(runId, files, onFailure);
  }

  list(): string[] {
    return [...this.files.keys()].sort();
  }

  read(name: string): Uint8Array | undefined {
    const parts = this.files.get(name);
    return parts && concatenate(parts);
  }

  write(name: string, contents: FileContents): boolean | Promise<boolean> {
    if (typeof contents === 'string') {
      this.files.set(name, [new TextEncoder().encode(contents)]);
      this.waiting.add(name);
      return true;
    }
    return this.put(name, concatenate(contents));
  }

  append(name: string, text: string): boolean {
    const parts = this.files.get(name) ?? [];
    parts.push(new TextEncoder().encode(text));
    this.files.set(name, parts);
    this.waiting.add(name);
    return true;
  }

  remove(name: string): boolean {
    this.files.delete(name);
    this.waiting.delete(name);
    this.removing = this.removing
      .then(() =>
        inStorage('readwrite', (transaction) =>
          transaction.objectStore('files').delete([this.path, name]),
        ),
      )
      .catch(() => undefined); // It stays, which harms nobody.
    return true;
  }

  /** Writes the text that waits, and says whether that worked. */
  async flush(): Promise<boolean> {
    await this.removing;
    return this.putAll(new Map());
  }

  private async put(name: string, bytes: Uint8Array): Promise<boolean> {
    if (isBackendLost()) {
      this.onFailure('The GPU is lost, so nothing is saved. What was saved before is kept.');
      return false;
    }
    const saved = await this.putAll(new Map([[name, bytes]]));
    if (saved) {
      this.files.set(name, [bytes]);
    }
    return saved;
  }

  /** Writes these files, and the text that waits. */
  private async putAll(files: Map<string, Uint8Array>): Promise<boolean> {
    const text = [...this.waiting];
    // What is added from now on waits for the next time.
    this.waiting.clear();
    try {
      const entries = [...text.map((name) => [name, this.read(name)!] as const), ...files];
      await inStorage('readwrite', (transaction) => {
        const store = transaction.objectStore('files');
        return Promise.all(entries.map(([name, bytes]) => store.put(bytes, [this.path, name])));
      });
      return true;
    } catch (error) {
      text.forEach((name) => this.waiting.add(name));
      this.onFailure(`${(error as Error).message} What was saved before is kept.`);
      return false;
    }
  }
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((sum, {length}) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    result.set(part, offset);
    offset += part.length;
  }
  return result;
}
