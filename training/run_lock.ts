import {constants, copyFileSync, linkSync, mkdirSync, readFileSync, rmSync} from 'node:fs';
import {hostname} from 'node:os';
import {join} from 'node:path';
import {hasCode} from './error_code';
import {besides, writeFileAtomically, writeFlushed} from './files';

const FILE = 'run.lock';

/** The process that holds a lock. */
interface Holder {
  pid: number;
  host: string;
  /** When it started, in the clock ticks of Linux; elsewhere unknown. It tells a process from a later one of its number. */
  startTime?: string;
}

/**
 * Keeps a second run out of a folder. The lock of a process that was killed is taken over; that of one on
 * another machine, of which nothing can be known, is not.
 */
export class RunLock {
  private constructor(private readonly path: string) {}

  /**
   * @param folder Is made where it does not exist.
   * @throws If another run holds the folder, or nothing can be written there.
   */
  static acquire(folder: string): RunLock {
    const path = join(folder, FILE);
    const holder = makeFolderAndTake(folder, path);
    if (holder == null) {
      return new RunLock(path);
    }
    const where = holder.host === hostname() ? '' : ` on ${holder.host}`;
    throw new Error(
      `run: folder '${folder}' must be used by one run at a time, but process ${holder.pid}${where} uses ` +
        `it. Choose another folder, or wait until it ends; if it has ended, remove '${path}'`,
    );
  }

  release() {
    rmSync(this.path, {force: true});
  }
}

function makeFolderAndTake(folder: string, path: string): Holder | undefined {
  try {
    mkdirSync(folder, {recursive: true});
    return take(path);
  } catch (error) {
    const {message} = error as Error;
    throw new Error(`run: folder '${folder}' must be one that can be written, got ${message}`, {
      cause: error,
    });
  }
}

/** Makes a lock; or says which process holds it. */
function take(path: string): Holder | undefined {
  const found = createOrRead(path);
  if (found == null || isAlive(found)) {
    return found?.holder;
  }
  // Its process has ended. Of several that see this, one at a time looks again and takes its place.
  const turn = `${path}.turn`;
  const other = take(turn);
  if (other != null) {
    return other;
  }
  try {
    const next = createOrRead(path);
    if (next == null || isAlive(next)) {
      return next?.holder;
    }
    writeFileAtomically(path, describeThisProcess());
    return undefined;
  } finally {
    rmSync(turn);
  }
}

/** A lock that is there already. Without a holder it is damaged: it was written whole. */
interface Found {
  holder?: Holder;
}

/** Makes a lock, unless there is one: then it is read. */
function createOrRead(path: string): Found | undefined {
  while (!create(path)) {
    const found = read(path);
    if (found != null) {
      return found;
    }
  }
  return undefined;
}

/** Makes a lock, whole from its first moment; false where there is one, or there may be by now. */
function create(path: string): boolean {
  const temporary = besides(path);
  try {
    writeFlushed(temporary, describeThisProcess());
    return placeAnew(temporary, path);
  } finally {
    rmSync(temporary, {force: true});
  }
}

/**
 * Gives a file another name; false where that is not new, or the file is gone: the holder of a lock clears up.
 * Where a disk has no links the file is copied.
 */
function placeAnew(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    return isNotNew(error) ? false : copyAnew(from, to);
  }
}

function copyAnew(from: string, to: string): boolean {
  try {
    copyFileSync(from, to, constants.COPYFILE_EXCL);
    return true;
  } catch (error) {
    if (isNotNew(error)) {
      return false;
    }
    throw error;
  }
}

function isNotNew(error: unknown): boolean {
  return hasCode(error, 'EEXIST', 'ENOENT');
}

function describeThisProcess(): string {
  const {pid} = process;
  const holder: Holder = {pid, host: hostname(), startTime: startTime(pid)};
  return JSON.stringify(holder);
}

/** Undefined where there is none any more. */
function read(path: string): Found | undefined {
  let text;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) {
      return undefined;
    }
    throw error;
  }
  try {
    return {holder: JSON.parse(text) as Holder};
  } catch {
    return {};
  }
}

function isAlive({holder}: Found): boolean {
  if (holder == null) {
    return false;
  }
  const {pid, host, startTime: started} = holder;
  if (host !== hostname()) {
    return true;
  }
  try {
    process.kill(pid, 0);
  } catch (error) {
    return hasCode(error, 'EPERM');
  }
  return started == null || started === startTime(pid);
}

/** The 22nd field of Linux' account of a process; the second, its name, may have spaces. */
function startTime(pid: number): string | undefined {
  try {
    const account = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return account.slice(account.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
