import {
  appendFileSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import {dirname, join} from 'node:path';
import type {FileContents, RunStorage} from './run_storage';

/**
 * The folder where a run leaves what it makes. A run is worth more than its files: where one cannot
 * be written, because the disk is full or the folder is not writable, the run goes on, and
 * `onFailure` hears of it, once.
 */
export class RunFolder implements RunStorage {
  private failed = false;

  constructor(
    readonly path: string,
    private readonly onFailure: (message: string) => void = console.warn,
  ) {}

  /** A folder in this one. The two tell of a failure once between them. */
  folder(name: string): RunFolder {
    return new RunFolder(join(this.path, name), (message) => this.fail(message));
  }

  /** The names of the files and folders here, in order; none where there is no such folder. */
  list(): string[] {
    const isFolder = existsSync(this.path) && statSync(this.path).isDirectory();
    return isFolder ? readdirSync(this.path).sort() : [];
  }

  /** The contents of a file, undefined where there is none. */
  read(name: string): Buffer | undefined {
    const path = join(this.path, name);
    return existsSync(path) ? readFileSync(path) : undefined;
  }

  /** Writes a file whole or not at all, and says which. */
  write(name: string, contents: FileContents): boolean {
    return this.attempt(name, (path) => writeFileAtomically(path, contents));
  }

  /** Adds to the end of a file, and says whether that worked. */
  append(name: string, text: string): boolean {
    return this.attempt(name, (path) => {
      mkdirSync(dirname(path), {recursive: true});
      appendFileSync(path, text);
    });
  }

  /** Removes a file or folder, if it is there, and says whether it is gone. */
  remove(name: string): boolean {
    return this.attempt(name, (path) => rmSync(path, {recursive: true, force: true}));
  }

  private attempt(name: string, change: (path: string) => void): boolean {
    const path = join(this.path, name);
    try {
      change(path);
      return true;
    } catch (error) {
      this.fail(
        `'${path}' cannot be written: ${(error as Error).message}. ` +
          'The run goes on; what was saved before is kept.',
      );
      return false;
    }
  }

  private fail(message: string) {
    if (!this.failed) {
      this.failed = true;
      this.onFailure(message);
    }
  }
}

/** A crash at any point leaves the old file or the new one, never a part of it. */
function writeFileAtomically(path: string, contents: FileContents) {
  mkdirSync(dirname(path), {recursive: true});
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const file = openSync(temporary, 'w');
    try {
      for (const part of typeof contents === 'string' ? [contents] : contents) {
        writeFileSync(file, part);
      }
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, {force: true});
    throw error;
  }
  syncFolder(dirname(path));
}

/** Makes a rename last. Windows cannot open a folder, and needs no such thing. */
function syncFolder(path: string) {
  if (process.platform === 'win32') {
    return;
  }
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
