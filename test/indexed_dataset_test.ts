import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {TOKEN_DTYPES, type TokenDtype} from '../training/data/dtypes';
import {IndexedDataset} from '../training/data/indexed_dataset';
import {IndexedDatasetWriter} from '../training/data/indexed_dataset_writer';

let folder: string;
const opened: IndexedDataset[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'indexed-dataset-'));
});
afterEach(() => {
  opened.splice(0).forEach((dataset) => dataset.close());
  rmSync(folder, {recursive: true});
});

function open(prefix: string): IndexedDataset {
  const dataset = IndexedDataset.open(prefix);
  opened.push(dataset);
  return dataset;
}

// Made by Megatron-Core's IndexedDatasetBuilder.
describe.each(['int32', 'uint16'])("Megatron's data set in %s", (dtype) => {
  const golden = join(__dirname, `goldens/megatron_${dtype}_text_document`);
  const {documents} = JSON.parse(readFileSync(`${golden}.json`, 'utf8')) as {
    documents: number[][][];
  };

  it('is read', () => {
    const dataset = open(golden);
    const sequences = documents.flat();
    expect([dataset.dtype, dataset.numDocuments]).toEqual([dtype, documents.length]);
    expect([...dataset.sizes()]).toEqual(sequences.map(({length}) => length));
    expect(dataset.numTokens).toBe(sequences.flat().length);
    expect(dataset.idRange()).toEqual({
      min: Math.min(...sequences.flat()),
      max: Math.max(...sequences.flat()),
    });
    for (const [i, sequence] of sequences.entries()) {
      expect([...dataset.get(i)]).toEqual(sequence);
      const part = new Int32Array(3);
      dataset.read(i, 1, part);
      expect([...part]).toEqual(sequence.slice(1, 4));
    }
    expect(documents.map((_, i) => dataset.document(i))).toEqual(
      documents.map(({length}, i) => {
        const begin = documents.slice(0, i).flat().length;
        return {begin, end: begin + length};
      }),
    );
  });

  it('is written, byte for byte', () => {
    const prefix = join(folder, 'new/data');
    const writer = IndexedDatasetWriter.create(prefix, dtype as TokenDtype);
    documents.forEach((document) => writer.add(document));
    writer.finish();
    for (const file of ['bin', 'idx']) {
      expect(readFileSync(`${prefix}.${file}`)).toEqual(readFileSync(`${golden}.${file}`));
    }
    expect(readdirSync(join(folder, 'new'))).toEqual(['data.bin', 'data.idx']);
  });
});

describe('a data set', () => {
  it.each(TOKEN_DTYPES)('in %s comes back as it was', (dtype) => {
    const prefix = join(folder, 'data');
    const documents = [[[1, 2, 3], []], [], [[4], [127, 0, 5]]];
    const writer = IndexedDatasetWriter.create(prefix, dtype);
    documents.forEach((document) => writer.add(document));
    writer.finish();
    const dataset = open(prefix);
    expect([dataset.dtype, dataset.numDocuments, dataset.numSequences]).toEqual([dtype, 3, 4]);
    expect(Array.from(dataset.get(3), Number)).toEqual([127, 0, 5]);
    const target = new Int32Array(2);
    dataset.read(0, 1, target);
    expect([...target]).toEqual([2, 3]);
  });

  it('of no documents is one', () => {
    IndexedDatasetWriter.create(join(folder, 'none'), 'uint16').finish();
    expect(open(join(folder, 'none')).numDocuments).toBe(0);
  });

  it('that is large is looked at in stretches', () => {
    const writer = IndexedDatasetWriter.create(join(folder, 'data'), 'uint16');
    const stretch = 2 ** 16;
    [5, 9, 3, 7].forEach((id) => writer.add([new Int32Array(stretch).fill(id)]));
    writer.finish();
    const dataset = open(join(folder, 'data'));
    expect(dataset.idRange()).toEqual({min: 3, max: 9});
    expect(dataset.idRange(2 * stretch)).toEqual({min: 3, max: 5});
  });

  it('far larger than memory is read where it lies', () => {
    // The .bin has no blocks on the disk: it is a hole of 64 GiB, and reads as zeros.
    const prefix = join(folder, 'large');
    const size = 2 ** 30;
    const index = Buffer.alloc(34 + 32 * 12 + 2 * 8);
    index.write('MMIDIDX\0\0', 'latin1');
    index.writeUInt8(1, 9);
    index.writeUInt8(8, 17);
    index.writeUInt8(32, 18);
    index.writeUInt8(2, 26);
    for (let i = 0; i < 32; i++) {
      index.writeInt32LE(size, 34 + 4 * i);
      index.writeBigInt64LE(BigInt(2 * i * size), 34 + 32 * 4 + 8 * i);
    }
    index.writeUInt8(32, index.length - 8);
    writeFileSync(`${prefix}.idx`, index);
    writeFileSync(`${prefix}.bin`, '');
    truncateSync(`${prefix}.bin`, 2 * 32 * size);

    const dataset = open(prefix);
    expect(dataset.numTokens).toBe(2 ** 35);
    const before = process.memoryUsage().rss;
    const target = new Int32Array(1024);
    for (let i = 0; i < 2000; i++) {
      target.fill(1);
      dataset.read(i % 32, (i * 524287) % (size - 1024), target);
    }
    expect(target.every((id) => id === 0)).toBe(true);
    expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 28);
  });
});

describe('a damaged data set', () => {
  const golden = join(__dirname, 'goldens/megatron_int32_text_document');
  let prefix: string;
  let index: Buffer;
  beforeEach(() => {
    prefix = join(folder, 'data');
    copyFileSync(`${golden}.bin`, `${prefix}.bin`);
    index = readFileSync(`${golden}.idx`);
  });
  const sizes = 34;
  const pointers = sizes + 19 * 4;
  const boundaries = pointers + 19 * 8;

  it.each<[string, (index: Buffer) => Buffer | number, string]>([
    ['short', (b) => b.subarray(0, 20), 'must have at least 34 bytes, got 20'],
    [
      'of another kind',
      (b) => b.write('PK'),
      'must begin with "MMIDIDX\\u0000\\u0000", got "PKIDIDX',
    ],
    ['of a later version', (b) => b.writeUInt8(2, 9), 'must have version 1, got 2'],
    ['of an unknown dtype', (b) => b.writeUInt8(9, 17), 'must have a dtype from 1 to 8, got 9'],
    ['of another dtype', (b) => b.writeUInt8(8, 17), 'sequence 1 must begin at byte 42'],
    [
      'cut off',
      (b) => b.subarray(0, 300),
      'must have 326 bytes for its 19 sequences and 8 document',
    ],
    ['with a negative size', (b) => b.writeInt32LE(-1, sizes), 'sequence 0 must begin at byte 0'],
    ['with a gap', (b) => b.writeUInt8(1, pointers), 'must begin at byte 0 of the .bin with'],
    ['that begins late', (b) => b.writeUInt8(1, boundaries), 'boundary 0 must be 0, got 1'],
    [
      'out of order',
      (b) => b.writeUInt8(9, boundaries + 8),
      'boundary 2 must be at least 9, got 5',
    ],
    ['that ends early', (b) => b.writeUInt8(18, boundaries + 56), 'of sequences, 19, got 18'],
  ])('with an index %s is refused', (_, damage, message) => {
    const damaged = damage(index);
    writeFileSync(`${prefix}.idx`, typeof damaged === 'number' ? index : damaged);
    expect(() => IndexedDataset.open(prefix)).toThrow(message);
    expect(() => IndexedDataset.open(prefix)).toThrow(`data: index '${prefix}.idx'`);
  });

  it('whose .bin is cut off is refused', () => {
    writeFileSync(`${prefix}.idx`, index);
    truncateSync(`${prefix}.bin`, 1000);
    expect(() => IndexedDataset.open(prefix)).toThrow(
      'its .bin must have 1628 bytes, the sum of the sequences, got 1000',
    );
  });

  it('whose .bin is cut off later is an error where it is read', () => {
    writeFileSync(`${prefix}.idx`, index);
    const dataset = open(prefix);
    truncateSync(`${prefix}.bin`, 10);
    const message = `data: file '${prefix}.bin' must have 84 bytes, got fewer: it was cut short`;
    expect(() => dataset.get(0)).toThrow(message);
    expect(() => dataset.read(0, 0, new Int32Array(21))).toThrow(message);
  });

  it('without an index is refused', () => {
    expect(() => IndexedDataset.open(prefix)).toThrow(`data: file '${prefix}.idx' must exist`);
  });

  it('is asked for what it does not have', () => {
    writeFileSync(`${prefix}.idx`, index);
    const dataset = open(prefix);
    expect(() => dataset.get(19)).toThrow('sequence must be an integer from 0 to 18, got 19');
    expect(() => dataset.get(0, 20, 2)).toThrow(
      'tokens of sequence 0 must be from 0 to 21, got 20 to 22',
    );
    expect(() => dataset.read(0, -1, new Int32Array(1))).toThrow('got -1 to 0');
  });
});

describe('the writer', () => {
  it('goes on where it was flushed', () => {
    const write = (prefix: string) => IndexedDatasetWriter.create(join(folder, prefix), 'uint16');
    const documents = [[[1, 2], [3]], [[4]], [[5, 6, 7]]];
    const whole = write('whole');
    documents.forEach((document) => whole.add(document));
    whole.finish();

    const first = write('resumed');
    first.add(documents[0]);
    const state = first.flush();
    first.add([[9, 9, 9]]);
    first.close();
    expect(state).toEqual({numTokens: 3, numSequences: 2, numDocuments: 1});
    expect(existsSync(join(folder, 'resumed.bin'))).toBe(false);
    const second = IndexedDatasetWriter.resume(join(folder, 'resumed'), 'uint16', state);
    documents.slice(1).forEach((document) => second.add(document));
    second.finish();
    for (const file of ['bin', 'idx']) {
      expect(readFileSync(join(folder, `resumed.${file}`))).toEqual(
        readFileSync(join(folder, `whole.${file}`)),
      );
    }
  });

  it.each(['bin', 'sizes', 'documents'])('refuses to go on where %s has lost its end', (name) => {
    const prefix = join(folder, 'data');
    const writer = IndexedDatasetWriter.create(prefix, 'uint16');
    writer.add([[1, 2], [3]]);
    const state = writer.flush();
    writer.close();
    const file = `${prefix}.${name}.partial`;
    const {length} = readFileSync(file);
    truncateSync(file, length - 1);
    expect(() => IndexedDatasetWriter.resume(prefix, 'uint16', state)).toThrow(
      `data: '${file}' must have at least ${length} bytes, got ${length - 1}`,
    );
  });

  it('overwrites nothing', () => {
    const prefix = join(folder, 'data');
    writeFileSync(`${prefix}.bin`, 'x');
    expect(() => IndexedDatasetWriter.create(prefix, 'int32')).toThrow(
      `data: '${prefix}.bin' must be a new file, got one that is there`,
    );
  });

  it('refuses what the dtype cannot hold', () => {
    const writer = IndexedDatasetWriter.create(join(folder, 'data'), 'uint16');
    expect(() => writer.add([[1, 65536]])).toThrow(
      'must be numbers that uint16 can hold, got 65536',
    );
    writer.close();
  });
});
