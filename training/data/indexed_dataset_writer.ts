import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import {dirname} from 'node:path';
import {assert} from '../../src/asserts';
import {bytesOf, bytesOfDtype, copyTokens, makeTokenArray} from './dtypes';
import type {TokenArray, TokenDtype} from './dtypes';
import {encodeIndexHeader} from './index_file';
import {indexedDatasetFiles} from './indexed_dataset';

/** Documents that are written together: their tokens and where they end. */
export interface DocumentBlock {
  /** The tokens of all sequences, one after the other, in the dtype of the data set. */
  tokens: TokenArray;
  /** Tokens in each sequence. */
  sizes: Int32Array;
  /** Sequences in each document. */
  sequences: Int32Array;
}

/** How much of a data set is on the disk for good. */
export interface WriterState {
  numTokens: number;
  numSequences: number;
  numDocuments: number;
}

const EMPTY: WriterState = {numTokens: 0, numSequences: 0, numDocuments: 0};

/** Bytes that are copied at a time while the index is put together. */
const COPY_BYTES = 2 ** 20;

/**
 * Writes an indexed data set. What is written lies in files beside the data set's own, which come into
 * being at the end, whole: `<prefix>.bin.partial`, `<prefix>.sizes.partial` and
 * `<prefix>.documents.partial`. Nothing grows in memory with the data set.
 *
 * ```js
 * const writer = IndexedDatasetWriter.create('novels', 'uint16');
 * writer.add([[15496, 995], [50256]]);  // A document of two sequences.
 * writer.finish();
 * ```
 *
 * @see megatron.core.datasets.indexed_dataset.IndexedDatasetBuilder
 */
export class IndexedDatasetWriter {
  private readonly files: PartialFile[] = [];
  private readonly bin: PartialFile;
  private readonly sizes: PartialFile;
  private readonly documents: PartialFile;
  private state: WriterState;

  private constructor(
    private readonly prefix: string,
    readonly dtype: TokenDtype,
    begin: WriterState,
  ) {
    this.state = {...begin};
    mkdirSync(dirname(prefix), {recursive: true});
    try {
      this.bin = this.open('bin', begin.numTokens * bytesOfDtype(dtype));
      this.sizes = this.open('sizes', begin.numSequences * 4);
      this.documents = this.open('documents', begin.numDocuments * 8);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  private open(extension: string, size: number): PartialFile {
    const file = new PartialFile(`${this.prefix}.${extension}`, size);
    this.files.push(file);
    return file;
  }

  /**
   * A writer of a new data set.
   *
   * @throws If a data set of this prefix is there.
   */
  static create(prefix: string, dtype: TokenDtype): IndexedDatasetWriter {
    return IndexedDatasetWriter.resume(prefix, dtype, EMPTY);
  }

  /**
   * A writer that goes on after what `flush` said to be on the disk; what was written later is cut off.
   *
   * @throws If a data set of this prefix is there, or less is on the disk than `state` says.
   */
  static resume(prefix: string, dtype: TokenDtype, state: WriterState): IndexedDatasetWriter {
    const {bin, idx} = indexedDatasetFiles(prefix);
    const size = state.numTokens * bytesOfDtype(dtype);
    if (!existsSync(idx) && statSync(bin, {throwIfNoEntry: false})?.size === size) {
      renameSync(bin, partialFile(bin)); // It was interrupted between one name and the other.
    }
    [bin, idx].forEach((file) =>
      assert(!existsSync(file), () => `data: '${file}' must be a new file, got one that is there`),
    );
    return new IndexedDatasetWriter(prefix, dtype, state);
  }

  /** Adds one document: the token ids of each of its sequences. */
  add(document: readonly ArrayLike<number>[]) {
    const sizes = Int32Array.from(document, ({length}) => length);
    const tokens = makeTokenArray(
      this.dtype,
      sizes.reduce((sum, size) => sum + size, 0),
    );
    let offset = 0;
    for (const sequence of document) {
      const target = tokens.subarray(offset, offset + sequence.length);
      copyTokens(sequence, target);
      assertEqualTokens(this.prefix, this.dtype, sequence, target);
      offset += sequence.length;
    }
    this.addBlock({tokens, sizes, sequences: Int32Array.of(document.length)});
  }

  /** Adds many documents at once. */
  addBlock({tokens, sizes, sequences}: DocumentBlock) {
    this.bin.append(bytesOf(tokens));
    this.sizes.append(bytesOf(sizes));
    const boundaries = new BigInt64Array(sequences.length);
    let boundary = this.state.numSequences;
    sequences.forEach((count, i) => {
      boundary += count;
      boundaries[i] = BigInt(boundary);
    });
    this.documents.append(bytesOf(boundaries));
    this.state = {
      numTokens: this.state.numTokens + tokens.length,
      numSequences: boundary,
      numDocuments: this.state.numDocuments + sequences.length,
    };
  }

  /** What was added so far. */
  get written(): WriterState {
    return {...this.state};
  }

  /** Makes what was added so far last, and says how much that is. */
  flush(): WriterState {
    this.files.forEach((file) => file.flush());
    return this.written;
  }

  /** Ends the work without a data set; what is on the disk can be resumed. */
  close() {
    this.files.forEach((file) => file.close());
  }

  /** Writes the index and gives both files their names. */
  finish() {
    this.flush();
    const {bin, idx} = indexedDatasetFiles(this.prefix);
    const index = this.open('idx', 0);
    const {numSequences, numDocuments} = this.state;
    index.append(encodeIndexHeader(this.dtype, numSequences, numDocuments + 1));
    this.sizes.forEachPart((part) => index.append(part));
    let pointer = 0;
    this.sizes.forEachPart((part) => {
      const sizes = new Int32Array(part.buffer, part.byteOffset, part.length / 4);
      const pointers = BigInt64Array.from(sizes, (size) => {
        const begin = pointer;
        pointer += size * bytesOfDtype(this.dtype);
        return BigInt(begin);
      });
      index.append(bytesOf(pointers));
    });
    index.append(new Uint8Array(8)); // The first document begins at sequence 0.
    this.documents.forEachPart((part) => index.append(part));
    index.flush();
    this.bin.rename(bin);
    index.rename(idx);
    this.sizes.remove();
    this.documents.remove();
  }
}

/** An id that does not fit the dtype would be another one. */
function assertEqualTokens(
  prefix: string,
  dtype: TokenDtype,
  wanted: ArrayLike<number>,
  stored: TokenArray,
) {
  for (let i = 0; i < wanted.length; i++) {
    assert(
      Number(stored[i]) === wanted[i],
      () => `data: tokens of '${prefix}' must be numbers that ${dtype} can hold, got ${wanted[i]}`,
    );
  }
}

function partialFile(name: string): string {
  return `${name}.partial`;
}

/** Removes what a writer left that was interrupted. */
export function removePartialFiles(prefix: string) {
  ['bin', 'sizes', 'documents', 'idx'].forEach((file) =>
    rmSync(partialFile(`${prefix}.${file}`), {force: true}),
  );
}

/** A file that has another name until it is whole. */
class PartialFile {
  private readonly path: string;
  private readonly descriptor: number;
  private isOpen = true;
  private size: number;

  /**
   * @param size How much of an earlier file is kept.
   * @throws If it cannot be written, or has less.
   */
  constructor(name: string, size: number) {
    this.path = partialFile(name);
    try {
      this.descriptor = openSync(this.path, size > 0 ? 'r+' : 'w+');
    } catch (error) {
      throw new Error(`data: '${this.path}' cannot be written: ${(error as Error).message}`, {
        cause: error,
      });
    }
    const {size: found} = fstatSync(this.descriptor);
    if (found < size) {
      this.close();
      throw new Error(`data: '${this.path}' must have at least ${size} bytes, got ${found}`);
    }
    ftruncateSync(this.descriptor, size);
    this.size = size;
  }

  append(bytes: Uint8Array) {
    for (let done = 0; done < bytes.length;) {
      const left = bytes.length - done;
      done += writeSync(this.descriptor, bytes, done, left, this.size + done);
    }
    this.size += bytes.length;
  }

  flush() {
    fsyncSync(this.descriptor);
  }

  /** Calls a function with every stretch of the file. Each is at the start of its memory. */
  forEachPart(visit: (part: Uint8Array) => void) {
    for (let begin = 0; begin < this.size; begin += COPY_BYTES) {
      const part = new Uint8Array(Math.min(COPY_BYTES, this.size - begin));
      readSync(this.descriptor, part, 0, part.length, begin);
      visit(part);
    }
  }

  rename(name: string) {
    this.close();
    renameSync(this.path, name);
  }

  remove() {
    this.close();
    rmSync(this.path);
  }

  close() {
    if (this.isOpen) {
      this.isOpen = false;
      closeSync(this.descriptor);
    }
  }
}
