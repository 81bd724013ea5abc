import type {TextDocument} from './documents';

/** Turns text into ids and back. */
export interface Tokenizer {
  readonly vocabSize: number;
  /** The id that ends a document. */
  readonly endOfText: number;
  encode(text: string): ArrayLike<number>;
  decode(ids: ArrayLike<number>): string;
}

/** The ids of all documents, each with the end of a text after it. */
export function encodeDocuments(tokenizer: Tokenizer, documents: TextDocument[]): Int32Array {
  const encoded = documents.map(({text}) => tokenizer.encode(text));
  const size = encoded.reduce((sum, ids) => sum + ids.length + 1, 0);
  const result = new Int32Array(size).fill(tokenizer.endOfText);
  let offset = 0;
  for (const ids of encoded) {
    result.set(ids, offset);
    offset += ids.length + 1;
  }
  return result;
}
