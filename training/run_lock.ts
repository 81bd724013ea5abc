import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import {hostname} from 'node:os';
import {join} from 'node:path';

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
    const holder = take(folder, path);
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

/** Makes the lock; or says who holds it. */
function take(folder: string, path: string): Holder | undefined {
  try {
    mkdirSync(folder, {recursive: true});
    if (create(path)) {
      return undefined;
    }
    const found = read(path);
    if (found != null && isAlive(found)) {
      return found;
    }
    // Of several that find a lock whose process has ended, one renames it, and one makes the next.
    const stale = `${path}.${process.pid}.stale`;
    renameSync(path, stale);
    rmSync(stale);
    return create(path) ? undefined : (read(path) ?? {pid: 0, host: hostname()});
  } catch (error) {
    const {code, message} = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') {
      return read(path) ?? {pid: 0, host: hostname()}; // Another was faster.
    }
    throw new Error(`run: folder '${folder}' must be one that can be written, got ${message}`, {
      cause: error,
    });
  }
}

/** Whether there was none. */
function create(path: string): boolean {
  let file;
  try {
    file = openSync(path, 'wx');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') {
      return false;
    }
    throw error;
  }
  try {
    const {pid} = process;
    const holder: Holder = {pid, host: hostname(), startTime: startTime(pid)};
    writeSync(file, JSON.stringify(holder));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return true;
}

function read(path: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Holder;
  } catch {
    return undefined; // It was killed before it had written, or it is gone.
  }
}

function isAlive({pid, host, startTime: started}: Holder): boolean {
  if (host !== hostname()) {
    return true;
  }
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
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
