import type {TextDocument} from './documents';

/** Turns text into ids and back. */
export interface Tokenizer {
  readonly vocabSize: number;
  /** The id that ends a document. */
  readonly endOfText: number;
  encode(text: string): ArrayLike<number>;
  decode(ids: ArrayLike<number>): string;
}

/** The ids of each document, with the end of a text after them. */
export function encodeDocuments(
  tokenizer: Tokenizer,
  documents: readonly TextDocument[],
): Int32Array[] {
  return documents.map(({text}) => {
    const ids = tokenizer.encode(text);
    const result = new Int32Array(ids.length + 1);
    result.set(ids);
    result[ids.length] = tokenizer.endOfText;
    return result;
  });
}

/** The ids of all documents together. */
export function countIds(documents: readonly Int32Array[]): number {
  return documents.reduce((sum, {length}) => sum + length, 0);
}
