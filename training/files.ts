import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  fstatSync,
  writevSync,
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

/** Where a file is written that is to be whole when it comes to its place. */
export function besides(path: string): string {
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

/** Writes a file; when this returns it is on the disk. */
export function writeFlushed(path: string, contents: FileContents) {
  const file = openSync(path, 'w');
  try {
    writePartsSync(file, contents);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Adds to the end of a file, all or nothing: of what is too much for the disk, no part stays. */
export function appendToFile(path: string, contents: FileContents) {
  mkdirSync(dirname(path), {recursive: true});
  const file = openSync(path, 'a');
  try {
    const {size} = fstatSync(file);
    try {
      writePartsSync(file, contents);
    } catch (error) {
      ftruncateSync(file, size);
      throw error;
    }
  } finally {
    closeSync(file);
  }
}

/** Writes a file whole or not at all. */
export function writeFileAtomically(path: string, contents: FileContents) {
  mkdirSync(dirname(path), {recursive: true});
  const temporary = besides(path);
  try {
    writeFlushed(temporary, contents);
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
      await writeParts(file, contents);
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

function writePartsSync(file: number, contents: FileContents) {
  let waiting = toParts(contents);
  while (waiting.length > 0) {
    const written = writevSync(file, firstBytes(waiting, MAX_BYTES_A_CALL));
    waiting = withoutFirstBytes(waiting, written);
  }
}

/** As few calls as there can be, since each waits for a turn of the event loop. */
async function writeParts(file: FileHandle, contents: FileContents): Promise<void> {
  let waiting = toParts(contents);
  while (waiting.length > 0) {
    const {bytesWritten} = await file.writev(firstBytes(waiting, MAX_BYTES_A_CALL));
    waiting = withoutFirstBytes(waiting, bytesWritten);
  }
}

/** The bytes of a file, without parts that have none. */
function toParts(contents: FileContents): readonly Uint8Array[] {
  const parts = typeof contents === 'string' ? [Buffer.from(contents)] : contents;
  return parts.filter(({length}) => length > 0);
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
