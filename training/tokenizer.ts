import {BytePairEncoding, trainBytePairEncoding} from './byte_pair_encoding';
import {createHash} from 'node:crypto';
import type {RunFolder} from './run_folder';
import type {TextDocument} from './documents';
import type {Tokenizer} from './encode_documents';

/** GPT-2's own encoding, of 50257 tokens. */
export async function gpt2Tokenizer(): Promise<Tokenizer> {
  const gpt2 = await import('gpt-tokenizer/encoding/r50k_base');
  const endOfText = 50256;
  return {
    vocabSize: endOfText + 1,
    endOfText,
    // Text that spells the name of a special token is text like any other.
    encode: (text) => gpt2.encode(text, {disallowedSpecial: new Set()}),
    decode: (ids) => gpt2.decode(Array.from(ids)),
  };
}

/** Changes whenever the same text would give other tokens than before. */
const CACHE_VERSION = 1;

/**
 * The byte-pair encoding of some documents: from `cache` if they were encoded before, else learned from
 * them and left there.
 */
export function learnTokenizer(
  documents: TextDocument[],
  vocabSize: number,
  cache: RunFolder,
): BytePairEncoding {
  const hash = createHash('sha256').update(JSON.stringify([CACHE_VERSION, vocabSize]));
  documents.forEach(({text}) => hash.update(text).update('\0'));
  const name = `tokenizer-${hash.digest('hex').slice(0, 16)}.json`;
  const cached = readTokenizer(cache, name);
  if (cached != null) {
    return cached;
  }
  const tokenizer = trainBytePairEncoding(
    documents.map(({text}) => text),
    vocabSize,
  );
  cache.write(name, JSON.stringify(tokenizer));
  return tokenizer;
}

/** Undefined where there is none, or where it is damaged: it can be learned anew. */
function readTokenizer(cache: RunFolder, name: string): BytePairEncoding | undefined {
  try {
    return BytePairEncoding.fromJSON(JSON.parse(cache.read(name)!.toString('utf8')));
  } catch {
    return undefined;
  }
}
