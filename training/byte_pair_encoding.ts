import {assertCount} from '../src/asserts';
import {MaxHeap} from './max_heap';

// Byte-level byte-pair encoding as GPT-2 has it (Sennrich et al., 2016; Radford et al., 2019). A
// token's id is the order in which it was made: the 256 bytes, then a token a merge, then
// END_OF_TEXT. So a merge of a lower id is one that was learned earlier.

/** The token that ends a document. No text encodes to it. */
export const END_OF_TEXT = '<|endoftext|>';

const NUM_BYTES = 256;

/**
 * GPT-2's pre-tokenizer: contractions, words, numbers and punctuation, each with the space before
 * it. White space is Unicode's, which is not quite JavaScript's \s.
 */
const WORD =
  /'(?:[stmd]|re|ve|ll)| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/**
 * The printable character that stands for each byte in a tokenizer.json: the byte's own where that is
 * printable, else one from U+0100 on. Bytes are numbered in the order of these characters.
 */
const BYTE_CHARACTERS = byteCharacters();
const BYTES_IN_ORDER = Uint8Array.from(
  BYTE_CHARACTERS.map((_, byte) => byte).sort((a, b) =>
    BYTE_CHARACTERS[a] < BYTE_CHARACTERS[b] ? -1 : 1,
  ),
);
const ID_OF_BYTE = invert(BYTES_IN_ORDER);

/** A pair of ids as one number, exact up to 2^26 ids. */
const PAIR = 2 ** 26;

/** Words whose ids are kept, and how long they are at most. */
const MAX_CACHED_WORDS = 2 ** 18;
const MAX_CACHED_LENGTH = 64;

/** The form of a Hugging Face tokenizer.json, as far as it says what this tokenizer is. */
interface TokenizerJson {
  added_tokens: {id: number; content: string}[];
  model: {vocab: Record<string, number>; merges: [string, string][]};
}

/** A tokenizer over bytes: any text becomes ids, and exactly that text again. */
export class BytePairEncoding {
  /** The number of ids: the bytes, the merges and the end of a text. */
  readonly vocabSize: number;
  /** The id of END_OF_TEXT. */
  readonly endOfText: number;
  private readonly ids = new Map<number, number>();
  private readonly bytes: Uint8Array[];
  private readonly cache = new Map<string, number[]>();

  /** @param merges The pairs of ids that become one token, in the order in which they were learned. */
  constructor(readonly merges: readonly (readonly [number, number])[]) {
    this.endOfText = NUM_BYTES + merges.length;
    this.vocabSize = this.endOfText + 1;
    this.bytes = Array.from(BYTES_IN_ORDER, (byte) => Uint8Array.of(byte));
    merges.forEach(([left, right], i) => {
      this.ids.set(left * PAIR + right, NUM_BYTES + i);
      this.bytes.push(concatenate([this.bytes[left], this.bytes[right]]));
    });
    this.bytes.push(new TextEncoder().encode(END_OF_TEXT));
  }

  /** The ids of a text. */
  encode(text: string): Int32Array {
    const ids: number[] = [];
    for (const [word] of text.matchAll(WORD)) {
      for (const id of this.encodeWord(word)) {
        ids.push(id);
      }
    }
    return Int32Array.from(ids);
  }

  /**
   * The text of some ids. Bytes that are not UTF-8, as where a character is cut in two, become U+FFFD.
   *
   * @throws If an id is not in the vocabulary.
   */
  decode(ids: ArrayLike<number>): string {
    const parts = Array.from(ids, (id) => {
      if (this.bytes[id] == null) {
        throw new Error(`decode: id must be an integer from 0 to ${this.endOfText}, got ${id}`);
      }
      return this.bytes[id];
    });
    return new TextDecoder('utf-8', {ignoreBOM: true}).decode(concatenate(parts));
  }

  /** The tokenizer as a Hugging Face tokenizer.json. */
  toJSON(): object {
    const tokens = this.bytes.slice(0, this.endOfText).map(toCharacters);
    const byteLevel = {type: 'ByteLevel', add_prefix_space: false, trim_offsets: true};
    return {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: [
        {
          id: this.endOfText,
          content: END_OF_TEXT,
          single_word: false,
          lstrip: false,
          rstrip: false,
          normalized: false,
          special: true,
        },
      ],
      normalizer: null,
      pre_tokenizer: {...byteLevel, use_regex: true},
      post_processor: null,
      decoder: {...byteLevel, use_regex: true},
      model: {
        type: 'BPE',
        dropout: null,
        unk_token: null,
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: false,
        byte_fallback: false,
        ignore_merges: false,
        vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
        merges: this.merges.map(([left, right]) => [tokens[left], tokens[right]]),
      },
    };
  }

  /**
   * The tokenizer of a tokenizer.json that `toJSON` wrote.
   *
   * @throws If it numbers its tokens in another way, as other trainers do.
   */
  static fromJSON(json: unknown): BytePairEncoding {
    const {added_tokens: added, model} = json as TokenizerJson;
    const merges = model.merges.map(
      ([left, right]) => [model.vocab[left], model.vocab[right]] as const,
    );
    const tokenizer = new BytePairEncoding(merges);
    const same =
      tokenizer.bytes.every(
        (bytes, id) => id === tokenizer.endOfText || model.vocab[toCharacters(bytes)] === id,
      ) &&
      added[0]?.id === tokenizer.endOfText &&
      added[0].content === END_OF_TEXT;
    if (!same) {
      throw new Error(
        'tokenizer: its ids must be the bytes, the merges in order and the end of a text',
      );
    }
    return tokenizer;
  }

  private encodeWord(word: string): number[] {
    let ids = this.cache.get(word);
    if (ids == null) {
      ids = bytesToIds(word);
      for (let merged = this.firstMerge(ids); merged != null; merged = this.firstMerge(ids)) {
        const [left, right] = this.merges[merged - NUM_BYTES];
        ids = mergePair(ids, left, right, merged);
      }
      this.remember(word, ids);
    }
    return ids;
  }

  /** Most words come again soon; those that do not are forgotten some time, lest they fill the memory. */
  private remember(word: string, ids: number[]) {
    if (word.length > MAX_CACHED_LENGTH) {
      return;
    }
    if (this.cache.size === MAX_CACHED_WORDS) {
      this.cache.clear();
    }
    this.cache.set(word, ids);
  }

  /** The token of the pair in `ids` that was learned first, if any was. */
  private firstMerge(ids: number[]): number | undefined {
    let first: number | undefined;
    for (let i = 0; i + 1 < ids.length; i++) {
      const id = this.ids.get(ids[i] * PAIR + ids[i + 1]);
      if (id != null && (first == null || id < first)) {
        first = id;
      }
    }
    return first;
  }
}

/** A word of the text while the merges are learned: its ids so far, and how often it occurs. */
interface Word {
  ids: number[];
  count: number;
}

/** A pair of neighbouring ids: how often it occurs, and in which words; in some no longer. */
interface Pair {
  left: number;
  right: number;
  count: number;
  words: Set<Word>;
}

/** How often each pair of neighbours occurs within the words. */
class PairCounts {
  private readonly pairs = new Map<number, Pair>();

  /** Counts the pairs of a word and returns those that were never seen before. */
  add(word: Word): Pair[] {
    const created: Pair[] = [];
    for (const [left, right] of neighbours(word)) {
      let pair = this.pairs.get(left * PAIR + right);
      if (pair == null) {
        pair = {left, right, count: 0, words: new Set()};
        this.pairs.set(left * PAIR + right, pair);
        created.push(pair);
      }
      pair.count += word.count;
      pair.words.add(word);
    }
    return created;
  }

  /** Takes the pairs of a word away again. */
  remove(word: Word) {
    for (const [left, right] of neighbours(word)) {
      this.pairs.get(left * PAIR + right)!.count -= word.count;
    }
  }

  /** Makes a pair one id in every word and returns the pairs that came into being. */
  merge({left, right, words}: Pair, merged: number): Pair[] {
    const created: Pair[] = [];
    for (const word of words) {
      this.remove(word);
      word.ids = mergePair(word.ids, left, right, merged);
      created.push(...this.add(word));
    }
    return created;
  }
}

/**
 * Learns a byte-pair encoding from texts: again and again, the most frequent pair of neighbours within
 * a word becomes a token. Among equals the pair of the lower ids goes first, as in Hugging Face's
 * trainer, whose merges these are.
 *
 * A merge touches only the words that hold its pair, and a pair's place in the queue is corrected
 * when the pair comes up, so that the time goes with the number of changes, not with the text.
 *
 * @param texts The texts to learn from.
 * @param vocabSize The number of tokens, with the 256 bytes and END_OF_TEXT. There are fewer where no
 *     pair is left that occurs twice.
 * @throws If `vocabSize` does not leave room for the bytes and END_OF_TEXT.
 */
export function trainBytePairEncoding(
  texts: Iterable<string>,
  vocabSize: number,
): BytePairEncoding {
  assertCount('trainBytePairEncoding', 'vocabSize', vocabSize, {min: NUM_BYTES + 1});
  const counts = new PairCounts();
  const queue = new MaxHeap<QueuedPair>(comesFirst);
  const enqueue = (pair: Pair) => queue.push({pair, count: pair.count});
  countWords(texts)
    .flatMap((word) => counts.add(word))
    .forEach(enqueue);
  const merges: [number, number][] = [];
  while (merges.length < vocabSize - NUM_BYTES - 1) {
    const {pair, count} = queue.pop() ?? NO_PAIR;
    if (count < 2) {
      break;
    }
    if (count !== pair.count) {
      enqueue(pair); // Other merges took some of its places.
      continue;
    }
    const merged = NUM_BYTES + merges.length;
    merges.push([pair.left, pair.right]);
    counts.merge(pair, merged).forEach(enqueue);
  }
  return new BytePairEncoding(merges);
}

/** A pair with its count when it was queued. */
interface QueuedPair {
  pair: Pair;
  count: number;
}

const NO_PAIR: QueuedPair = {pair: {left: 0, right: 0, count: 0, words: new Set()}, count: 0};

function comesFirst(a: QueuedPair, b: QueuedPair): boolean {
  if (a.count !== b.count) {
    return a.count > b.count;
  }
  return a.pair.left * PAIR + a.pair.right < b.pair.left * PAIR + b.pair.right;
}

function countWords(texts: Iterable<string>): Word[] {
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const [word] of text.matchAll(WORD)) {
      counts.set(word, (counts.get(word) ?? 0) + 1);
    }
  }
  return Array.from(counts, ([word, count]) => ({ids: bytesToIds(word), count}));
}

function bytesToIds(text: string): number[] {
  return Array.from(new TextEncoder().encode(text), (byte) => ID_OF_BYTE[byte]);
}

function* neighbours({ids}: Word): Generator<[number, number]> {
  for (let i = 0; i + 1 < ids.length; i++) {
    yield [ids[i], ids[i + 1]];
  }
}

/** Replaces each pair in `ids`, from the left, by one id. */
function mergePair(ids: number[], left: number, right: number, merged: number): number[] {
  const result: number[] = [];
  for (let i = 0; i < ids.length; i++) {
    const matches = ids[i] === left && ids[i + 1] === right;
    result.push(matches ? merged : ids[i]);
    i += matches ? 1 : 0;
  }
  return result;
}

/** The printable ASCII and Latin-1 characters stand for themselves, the other bytes are U+0100 on. */
function byteCharacters(): string[] {
  let next = 0x100;
  return Array.from({length: NUM_BYTES}, (_, byte) => {
    const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    return String.fromCharCode(printable ? byte : next++);
  });
}

function toCharacters(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => BYTE_CHARACTERS[byte]).join('');
}

function invert(permutation: Uint8Array): Uint8Array {
  const inverse = new Uint8Array(permutation.length);
  permutation.forEach((value, i) => (inverse[value] = i));
  return inverse;
}

function concatenate(parts: Uint8Array[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((sum, {length}) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    result.set(part, offset);
    offset += part.length;
  }
  return result;
}
