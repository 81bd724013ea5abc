import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  fstatSync,
  writeFileSync,
} from 'node:fs';
import {type FileHandle, mkdir, open, rename, rm} from 'node:fs/promises';
import {dirname} from 'node:path';
import type {FileContents} from './run_storage';

// Files are written beside their place, flushed, and renamed: a crash at any point leaves the old file
// or the new one, never a part of it.

/** No system call takes more than 2 GiB. */
const MAX_BYTES_A_CALL = 2 ** 30;

const LEFTOVER = /\.\d+\.tmp$/;

/** Whether a file is what a program that was killed has left beside its place. */
export function isLeftover(name: string): boolean {
  return LEFTOVER.test(name);
}

function besides(path: string): string {
  return `${path}.${process.pid}.tmp`;
}

/** A whole file, which may be larger than a system call reads. */
export function readFile(path: string): Buffer {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.allocUnsafeSlow(fstatSync(file).size);
    for (let offset = 0; offset < bytes.length;) {
      const length = Math.min(bytes.length - offset, MAX_BYTES_A_CALL);
      const read = readSync(file, bytes, offset, length, offset);
      if (read === 0) {
        return bytes.subarray(0, offset); // It was cut short meanwhile.
      }
      offset += read;
    }
    return bytes;
  } finally {
    closeSync(file);
  }
}

/** Writes a file whole or not at all. */
export function writeFileAtomically(path: string, contents: FileContents) {
  mkdirSync(dirname(path), {recursive: true});
  const temporary = besides(path);
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

/**
 * Writes a file whole or not at all, on other threads: this one can compute meanwhile, as long as it
 * comes back to its event loop now and then.
 */
export async function writeFileAside(path: string, contents: FileContents): Promise<void> {
  await mkdir(dirname(path), {recursive: true});
  const temporary = besides(path);
  try {
    const file = await open(temporary, 'w');
    try {
      await writeParts(file, typeof contents === 'string' ? [Buffer.from(contents)] : contents);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, {force: true});
    throw error;
  }
  syncFolder(dirname(path));
}

/** As few calls as there can be, since each waits for a turn of the event loop. */
async function writeParts(file: FileHandle, parts: readonly Uint8Array[]): Promise<void> {
  let waiting = parts.filter(({length}) => length > 0);
  while (waiting.length > 0) {
    const {bytesWritten} = await file.writev(firstBytes(waiting, MAX_BYTES_A_CALL));
    waiting = withoutFirstBytes(waiting, bytesWritten);
  }
}

function firstBytes(parts: readonly Uint8Array[], limit: number): Uint8Array[] {
  const taken: Uint8Array[] = [];
  let left = limit;
  for (const part of parts) {
    if (left === 0) {
      break;
    }
    taken.push(part.subarray(0, left));
    left -= taken.at(-1)!.length;
  }
  return taken;
}

function withoutFirstBytes(parts: readonly Uint8Array[], count: number): Uint8Array[] {
  let left = count;
  return parts.flatMap((part) => {
    const rest = part.subarray(left);
    left -= part.length - rest.length;
    return rest.length > 0 ? [rest] : [];
  });
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
