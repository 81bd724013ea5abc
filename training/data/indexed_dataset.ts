import {assert, assertCount} from '../../src/asserts';
import {DataFile} from './data_file';
import {bytesOf, bytesOfDtype, copyTokens, makeTokenArray} from './dtypes';
import type {TokenArray, TokenDtype} from './dtypes';
import {type IndexFile, openIndexFile} from './index_file';
import type {SequenceSource} from './sequence_source';

/** The two files of a data set, by what their names begin with. */
export function indexedDatasetFiles(prefix: string): {bin: string; idx: string} {
  return {bin: `${prefix}.bin`, idx: `${prefix}.idx`};
}

/**
 * Megatron-LM's indexed data set: `<prefix>.bin` has the tokens, `<prefix>.idx` says where sequences and
 * documents begin. Tokens are read where they lie when they are asked for, so that a data set may be far
 * larger than memory.
 *
 * @see megatron.core.datasets.indexed_dataset.IndexedDataset
 */
export class IndexedDataset implements SequenceSource {
  private readonly index: IndexFile;
  private readonly itemBytes: number;
  /** Where tokens of another dtype than int32 are read to. */
  private scratch: TokenArray;

  private constructor(
    readonly name: string,
    private readonly bin: DataFile,
    private readonly idx: DataFile,
  ) {
    this.index = openIndexFile(idx, bin.size);
    this.itemBytes = bytesOfDtype(this.index.dtype);
    this.scratch = makeTokenArray(this.index.dtype, 0);
  }

  /**
   * Opens a data set and checks its index.
   *
   * @throws If a file is missing, or the index is damaged or does not fit the .bin.
   */
  static open(prefix: string): IndexedDataset {
    const {bin, idx} = indexedDatasetFiles(prefix);
    const opened: DataFile[] = [];
    try {
      opened.push(new DataFile(bin));
      opened.push(new DataFile(idx));
      return new IndexedDataset(prefix, opened[0], opened[1]);
    } catch (error) {
      opened.forEach((file) => file.close());
      throw error;
    }
  }

  get dtype(): TokenDtype {
    return this.index.dtype;
  }

  /** Sequences: the sentences, or the documents where they were not split. */
  get numSequences(): number {
    return this.index.sizes.length;
  }

  get numDocuments(): number {
    return this.index.documents.length - 1;
  }

  /** The tokens of all sequences together. */
  get numTokens(): number {
    return this.bin.size / this.itemBytes;
  }

  /** The first sequence of a document and the first after it. */
  document(index: number): {begin: number; end: number} {
    assertCount(this.name, 'document', index, {min: 0, max: this.numDocuments - 1});
    const {documents} = this.index;
    return {begin: documents.get(index), end: documents.get(index + 1)};
  }

  /** Tokens in one sequence. */
  size(sequence: number): number {
    assertCount(this.name, 'sequence', sequence, {min: 0, max: this.numSequences - 1});
    return this.index.sizes.get(sequence);
  }

  sizes(): Int32Array {
    const result = new Int32Array(this.numSequences);
    this.index.sizes.forEachWindow((values, begin) => result.set(values, begin));
    return result;
  }

  /**
   * Tokens of one sequence, in the data set's dtype.
   *
   * @param offset The first of them.
   * @param length How many; without it, all to the end.
   * @throws If they are not in the sequence.
   */
  get(sequence: number, offset = 0, length = this.size(sequence) - offset): TokenArray {
    const position = this.position(sequence, offset, length);
    const values = makeTokenArray(this.dtype, length);
    this.bin.read(bytesOf(values), position);
    return values;
  }

  read(sequence: number, offset: number, target: Int32Array) {
    const position = this.position(sequence, offset, target.length);
    if (this.dtype === 'int32') {
      this.bin.read(bytesOf(target), position);
      return;
    }
    if (this.scratch.length < target.length) {
      this.scratch = makeTokenArray(this.dtype, target.length);
    }
    const values = this.scratch.subarray(0, target.length);
    this.bin.read(bytesOf(values), position);
    copyTokens(values as Int32Array, target);
  }

  /**
   * The least and the largest id of all sequences, from one pass over the .bin.
   *
   * @param maxTokens Where there are more, about so many are looked at, in stretches that are evenly spread.
   * @returns Infinity and -Infinity where there is none.
   */
  idRange(maxTokens = Infinity): {min: number; max: number} {
    let min = Infinity;
    let max = -Infinity;
    const window = makeTokenArray(this.dtype, 2 ** 16);
    const stride = window.length * Math.max(1, Math.ceil(this.numTokens / maxTokens));
    for (let begin = 0; begin < this.numTokens; begin += stride) {
      const ids = window.subarray(0, Math.min(window.length, this.numTokens - begin));
      this.bin.read(bytesOf(ids), begin * this.itemBytes);
      const values = ids instanceof BigInt64Array ? Float64Array.from(ids, Number) : ids;
      for (let i = 0; i < values.length; i++) {
        const id = values[i];
        min = id < min ? id : min;
        max = id > max ? id : max;
      }
    }
    return {min, max};
  }

  /** Where tokens of a sequence are in the .bin. */
  private position(sequence: number, offset: number, length: number): number {
    const size = this.size(sequence);
    assert(
      offset >= 0 && length >= 0 && offset + length <= size,
      () =>
        `${this.name}: tokens of sequence ${sequence} must be from 0 to ${size}, ` +
        `got ${offset} to ${offset + length}`,
    );
    return this.index.pointers.get(sequence) + offset * this.itemBytes;
  }

  /** Closes both files. */
  close() {
    this.bin.close();
    this.idx.close();
  }
}
