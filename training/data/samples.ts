/** Samples to train on: sequences of one length with the id that follows. */
export interface Samples {
  /** What errors call them. */
  readonly name: string;
  readonly length: number;
  /** T. */
  readonly sequenceLength: number;
  /** Fills `target`, [T + 1], with the ids of a sample. */
  read(index: number, target: Int32Array): void;
}
