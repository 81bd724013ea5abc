import type {SequenceSource} from './sequence_source';

/** Sequences of token ids in memory. */
export class TokenSequences implements SequenceSource {
  /** @param name What errors call them. */
  constructor(
    readonly name: string,
    private readonly sequences: readonly Int32Array[],
  ) {}

  get numSequences(): number {
    return this.sequences.length;
  }

  size(sequence: number): number {
    return this.sequences[sequence].length;
  }

  sizes(): Int32Array {
    return Int32Array.from(this.sequences, ({length}) => length);
  }

  read(sequence: number, offset: number, target: Int32Array) {
    target.set(this.sequences[sequence].subarray(offset, offset + target.length));
  }
}
