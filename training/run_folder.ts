import {existsSync, readdirSync, rmSync, statSync} from 'node:fs';
import {join} from 'node:path';
import {appendToFile, isLeftover, readFile, writeFileAside, writeFileAtomically} from './files';
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
    private readonly onFailure: (message: string) => void = warnAndGoOn,
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
    return existsSync(path) ? readFile(path) : undefined;
  }

  /** Writes a file whole or not at all, and says which. */
  write(name: string, contents: FileContents): boolean {
    return this.attempt(name, (path) => writeFileAtomically(path, contents));
  }

  /** Like `write`, while other work goes on. */
  async writeAside(name: string, contents: FileContents): Promise<boolean> {
    const path = join(this.path, name);
    try {
      await writeFileAside(path, contents);
      return true;
    } catch (error) {
      return this.refuse(path, error);
    }
  }

  /** Adds to the end of a file, all or nothing, and says which. */
  append(name: string, contents: FileContents): boolean {
    return this.attempt(name, (path) => appendToFile(path, contents));
  }

  /** Removes what a program that was killed left half-written. No other may be writing here. */
  removeLeftovers() {
    this.list()
      .filter(isLeftover)
      .forEach((name) => this.remove(name));
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
      return this.refuse(path, error);
    }
  }

  private refuse(path: string, error: unknown): false {
    this.fail(`'${path}' cannot be written: ${(error as Error).message}`);
    return false;
  }

  private fail(message: string) {
    if (!this.failed) {
      this.failed = true;
      this.onFailure(message);
    }
  }
}

function warnAndGoOn(message: string) {
  console.warn(`${message}. The run goes on; what was saved before is kept.`);
}
