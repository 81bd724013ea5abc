import {assert} from '../../src/asserts';
import {DataFile} from './data_file';
import {bytesOfDtype, codeOfDtype, dtypeOfCode, TOKEN_DTYPES, type TokenDtype} from './dtypes';
import {IndexColumn} from './index_column';

// An index file, little-endian without padding: the magic, the version (u64), the code of the dtype (u8),
// the numbers of sequences and of document boundaries (u64 each); then columns: the size of each
// sequence (i32), where it begins in the .bin, in bytes (i64), and the boundaries (i64): the sequences at
// which documents begin, and at the end the number of sequences. A document of one sequence is a text
// that was not split into sentences.

const MAGIC = 'MMIDIDX\0\0';
const VERSION = 1;
const HEADER_BYTES = MAGIC.length + 8 + 1 + 8 + 8;

/** What an index file says. */
export interface IndexFile {
  dtype: TokenDtype;
  /** Tokens in each sequence. */
  sizes: IndexColumn;
  /** Where each sequence begins in the .bin, in bytes. */
  pointers: IndexColumn;
  /** Where documents begin, in sequences, and the number of sequences. */
  documents: IndexColumn;
}

/**
 * Reads an index file's header and checks all of it against the size of its .bin, in one pass over it
 * that keeps nothing in memory.
 *
 * @param binBytes The size of the .bin.
 * @throws If the magic, the version, the dtype or the length of the file is wrong, if a sequence lies
 *     outside of the .bin or is not where the one before ends, or if documents are out of order.
 */
export function openIndexFile(file: DataFile, binBytes: number): IndexFile {
  const name = `data: index '${file.path}'`;
  assert(
    file.size >= HEADER_BYTES,
    () => `${name} must have at least ${HEADER_BYTES} bytes, got ${file.size}`,
  );
  const header = Buffer.alloc(HEADER_BYTES);
  file.read(header, 0);
  const magic = header.toString('latin1', 0, MAGIC.length);
  assert(
    magic === MAGIC,
    () => `${name} must begin with ${JSON.stringify(MAGIC)}, got ${JSON.stringify(magic)}`,
  );
  const version = header.readBigUInt64LE(9);
  assert(version === BigInt(VERSION), () => `${name} must have version ${VERSION}, got ${version}`);
  const code = header.readUInt8(17);
  const dtype = dtypeOfCode(code);
  assert(
    dtype != null,
    () => `${name} must have a dtype from 1 to ${TOKEN_DTYPES.length}, got ${code}`,
  );

  const numSequences = Number(header.readBigUInt64LE(18));
  const sizes = new IndexColumn(file, HEADER_BYTES, numSequences, 'int32');
  const pointers = new IndexColumn(file, sizes.end, numSequences, 'int64');
  const numBoundaries = Number(header.readBigUInt64LE(26));
  const documents = new IndexColumn(file, pointers.end, numBoundaries, 'int64');
  // Multimodal data sets have the mode of each sequence after that, one byte each.
  const ends = [documents.end, documents.end + numSequences];
  assert(
    ends.includes(file.size),
    () =>
      `${name} must have ${ends[0]} bytes for its ${numSequences} sequences and ` +
      `${numBoundaries} document boundaries, got ${file.size}`,
  );
  checkSequences(name, sizes, pointers, bytesOfDtype(dtype), binBytes);
  checkDocuments(name, documents, numSequences);
  return {dtype, sizes, pointers, documents};
}

function checkSequences(
  name: string,
  sizes: IndexColumn,
  pointers: IndexColumn,
  itemBytes: number,
  binBytes: number,
) {
  let end = 0;
  sizes.forEachWindow((window, begin) => {
    for (let i = 0; i < window.length; i++) {
      const size = window[i];
      const pointer = pointers.get(begin + i);
      assert(
        size >= 0 && pointer === end,
        () =>
          `${name}: sequence ${begin + i} must begin at byte ${end} of the .bin with at least 0 ` +
          `tokens, got ${pointer} and ${size}`,
      );
      end += size * itemBytes;
    }
  });
  assert(
    end === binBytes,
    () => `${name}: its .bin must have ${end} bytes, the sum of the sequences, got ${binBytes}`,
  );
}

function checkDocuments(name: string, documents: IndexColumn, numSequences: number) {
  let last = 0;
  documents.forEachWindow((window, begin) => {
    window.forEach((boundary, i) => {
      assert(
        begin + i === 0 ? boundary === 0 : boundary >= last,
        () =>
          `${name}: document boundary ${begin + i} must be ` +
          `${begin + i === 0 ? '0' : `at least ${last}`}, got ${boundary}`,
      );
      last = boundary;
    });
  });
  assert(
    documents.length > 0 && last === numSequences,
    () =>
      `${name}: the last document boundary must be the number of sequences, ${numSequences}, ` +
      `got ${documents.length > 0 ? last : 'none'}`,
  );
}

/** The header of an index file. */
export function encodeIndexHeader(
  dtype: TokenDtype,
  numSequences: number,
  numBoundaries: number,
): Uint8Array {
  const header = Buffer.alloc(HEADER_BYTES);
  header.write(MAGIC, 'latin1');
  header.writeBigUInt64LE(BigInt(VERSION), 9);
  header.writeUInt8(codeOfDtype(dtype), 17);
  header.writeBigUInt64LE(BigInt(numSequences), 18);
  header.writeBigUInt64LE(BigInt(numBoundaries), 26);
  return header;
}
