import {dtypeOfVocab, makeTokenArray, type TokenArray, type TokenDtype} from '../data/dtypes';
import type {DocumentBlock} from '../data/indexed_dataset_writer';
import type {Tokenizer} from '../encode_documents';

/** How documents become sequences of ids. */
export interface EncodingOptions {
  /** Whether each sentence is a sequence of its own. */
  splitSentences: boolean;
  /** Whether a token ends each document. */
  appendEod: boolean;
}

/** Encodes documents into a block that a data set's writer takes. */
export class DocumentEncoder {
  readonly dtype: TokenDtype;
  private readonly segmenter?: Intl.Segmenter;

  constructor(
    private readonly tokenizer: Tokenizer,
    private readonly options: EncodingOptions,
  ) {
    this.dtype = dtypeOfVocab(tokenizer.vocabSize);
    if (options.splitSentences) {
      this.segmenter = new Intl.Segmenter('en', {granularity: 'sentence'});
    }
  }

  /** One block of all the documents. A document without text has no sequence. */
  encode(documents: readonly string[]): DocumentBlock {
    const tokens = new GrowingTokens(this.dtype);
    const sizes: number[] = [];
    const sequences = new Int32Array(documents.length);
    documents.forEach((text, i) => {
      const encoded = this.sentences(text)
        .map((sentence) => this.tokenizer.encode(sentence))
        .filter(({length}) => length > 0);
      encoded.forEach((ids, j) => {
        tokens.append(ids);
        const isLast = j === encoded.length - 1;
        if (isLast && this.options.appendEod) {
          tokens.append([this.tokenizer.endOfText]);
        }
        sizes.push(ids.length + Number(isLast && this.options.appendEod));
      });
      sequences[i] = encoded.length;
    });
    return {tokens: tokens.take(), sizes: Int32Array.from(sizes), sequences};
  }

  private sentences(text: string): string[] {
    return this.segmenter == null
      ? [text]
      : Array.from(this.segmenter.segment(text), ({segment}) => segment);
  }
}

/** Tokens whose number is not known before. */
class GrowingTokens {
  private values: TokenArray;
  private length = 0;

  constructor(private readonly dtype: TokenDtype) {
    this.values = makeTokenArray(dtype, 2 ** 16);
  }

  append(ids: ArrayLike<number>) {
    const end = this.length + ids.length;
    if (end > this.values.length) {
      const larger = makeTokenArray(this.dtype, Math.max(end, 2 * this.values.length));
      (larger as Int32Array).set(this.values as Int32Array);
      this.values = larger;
    }
    (this.values as Int32Array).set(ids, this.length);
    this.length = end;
  }

  /** What was appended, in memory of its own size. */
  take(): TokenArray {
    return this.values.slice(0, this.length);
  }
}
