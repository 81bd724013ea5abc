/** Sequences of token ids, wherever they are. */
export interface SequenceSource {
  /** What errors call it. */
  readonly name: string;
  readonly numSequences: number;
  /** Tokens in one sequence. */
  size(sequence: number): number;
  /** Tokens in each sequence, [numSequences]. */
  sizes(): Int32Array;
  /** Fills `target` with the ids of a sequence from `offset` on. */
  read(sequence: number, offset: number, target: Int32Array): void;
}
