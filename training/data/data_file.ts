import {closeSync, fstatSync, openSync, readSync} from 'node:fs';
import {assert} from '../../src/asserts';
import {hasCode} from '../error_code';

// Node.js has no mmap. A read at a position (pread) of a page that the system has cached costs about
// as much as copying it, and what is read lies in memory only as long as it is used. So the system's
// page cache is the only cache of the tokens, as it is with mmap.

/** A file that is read at any position. */
export class DataFile {
  private readonly descriptor: number;
  /** In bytes. */
  readonly size: number;

  /** @throws If the file is not there or cannot be read. */
  constructor(readonly path: string) {
    try {
      this.descriptor = openSync(path, 'r');
    } catch (error) {
      const what = hasCode(error, 'ENOENT')
        ? 'must exist, got none'
        : `cannot be read: ${(error as Error).message}`;
      throw new Error(`data: file '${path}' ${what}`, {cause: error});
    }
    this.size = fstatSync(this.descriptor).size;
  }

  /**
   * Fills `target` with the bytes from `position` on.
   *
   * @throws If the file ends before.
   */
  read(target: Uint8Array, position: number) {
    for (let done = 0; done < target.length;) {
      const left = target.length - done;
      const count = readSync(this.descriptor, target, done, left, position + done);
      assert(
        count > 0,
        () =>
          `data: file '${this.path}' must have ${position + target.length} bytes, got fewer: ` +
          'it was cut short',
      );
      done += count;
    }
  }

  close() {
    closeSync(this.descriptor);
  }
}
