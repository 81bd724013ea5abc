import type {DataFile} from './data_file';

/** Entries that are read together. */
const WINDOW = 8192;

/** Windows of a column that stay in memory: 16 MiB of them. */
const MAX_WINDOWS = 256;

/** The numbers that a column of an index file can hold. */
export type ColumnType = 'int32' | 'int64';

const BYTES: Record<ColumnType, number> = {int32: 4, int64: 8};

/**
 * One column of an index file: numbers one after the other, read a window at a time when they are asked
 * for. The windows that were used last stay in memory, at most 16 MiB of a column, however long it is.
 */
export class IndexColumn {
  private readonly windows = new Map<number, Float64Array>();
  private last?: {number: number; values: Float64Array};

  /**
   * @param begin Where the column begins in the file, in bytes.
   * @param length Its number of entries.
   */
  constructor(
    private readonly file: DataFile,
    private readonly begin: number,
    readonly length: number,
    private readonly type: ColumnType,
  ) {}

  /** Where the column ends in the file, in bytes. */
  get end(): number {
    return this.begin + this.length * BYTES[this.type];
  }

  /** Entry `index`, which must be one. */
  get(index: number): number {
    const number = Math.floor(index / WINDOW);
    if (this.last?.number !== number) {
      this.last = {number, values: this.window(number)};
    }
    return this.last.values[index - number * WINDOW];
  }

  /** Calls a function with every stretch of the column, in order. */
  forEachWindow(visit: (values: Float64Array, begin: number) => void) {
    for (let begin = 0; begin < this.length; begin += WINDOW) {
      visit(this.load(begin), begin);
    }
  }

  private window(number: number): Float64Array {
    const values = this.windows.get(number) ?? this.load(number * WINDOW);
    // What was used last is last in the order of the map.
    this.windows.delete(number);
    this.windows.set(number, values);
    if (this.windows.size > MAX_WINDOWS) {
      this.windows.delete(this.windows.keys().next().value!);
    }
    return values;
  }

  private load(begin: number): Float64Array {
    const values = new Float64Array(Math.min(WINDOW, this.length - begin));
    // In memory of their own the numbers are aligned, which they are not in the file.
    const bytes = new Uint8Array(values.length * BYTES[this.type]);
    this.file.read(bytes, this.begin + begin * BYTES[this.type]);
    if (this.type === 'int32') {
      values.set(new Int32Array(bytes.buffer));
    } else {
      const halves = new Int32Array(bytes.buffer);
      for (let i = 0; i < values.length; i++) {
        values[i] = (halves[2 * i] >>> 0) + halves[2 * i + 1] * 2 ** 32;
      }
    }
    return values;
  }
}
