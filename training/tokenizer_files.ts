import {readFileSync} from 'node:fs';
import {createHash} from 'node:crypto';
import {assert} from '../src/asserts';
import {BytePairEncoding, END_OF_TEXT} from './byte_pair_encoding';
import type {Tokenizer} from './encode_documents';
import {gpt2Tokenizer} from './tokenizer';

/** Megatron-LM's names of the tokenizers that are known here. */
export const TOKENIZER_TYPES = ['GPT2BPETokenizer', 'HuggingFaceTokenizer'] as const;
const [GPT2, HUGGING_FACE] = TOKENIZER_TYPES;
export type TokenizerType = (typeof TOKENIZER_TYPES)[number];

/** Which tokenizer, and from which files. */
export interface TokenizerFiles {
  type: TokenizerType;
  /** GPT-2's `vocab.json` and `merges.txt`. Without both, those of its package are taken. */
  vocabFile?: string;
  mergeFile?: string;
  /** The tokenizer.json of a HuggingFaceTokenizer. */
  model?: string;
  /** The token that ends a document. Looked for, where it is not given. */
  endOfDocument?: string;
}

/** A tokenizer, and what tells it from others. */
export interface LoadedTokenizer extends Tokenizer {
  /** The same for the same files. */
  readonly hash: string;
}

/** What tokenizers call the end of a document, in the order in which it is looked for. */
const END_TOKENS = [
  END_OF_TEXT,
  '<|end_of_text|>',
  '<|eos|>',
  '<eos>',
  '<EOD>',
  '<eod>',
  '</s>',
  '[EOS]',
  '[SEP]',
];

/**
 * Loads a tokenizer from its files.
 *
 * @throws If a file is missing, is of another kind or not of this type, or no token ends a document.
 */
export async function loadTokenizer(files: TokenizerFiles): Promise<LoadedTokenizer> {
  const {type, vocabFile, mergeFile, model, endOfDocument} = files;
  if (type === GPT2) {
    assertOfType('--tokenizer-model', model, HUGGING_FACE);
    assert(
      (vocabFile == null) === (mergeFile == null),
      () => 'tokenizer: --vocab-file and --merge-file must be given both or neither',
    );
    return vocabFile == null
      ? packagedGpt2(endOfDocument)
      : fromJson(gpt2Json(vocabFile, mergeFile!), vocabFile, endOfDocument);
  }
  assertOfType('--vocab-file', vocabFile, GPT2);
  assertOfType('--merge-file', mergeFile, GPT2);
  assert(model != null, () => `tokenizer: --tokenizer-model must be a tokenizer.json, got none`);
  return fromJson(parseJson(model), model, endOfDocument);
}

function assertOfType(option: string, file: string | undefined, type: TokenizerType) {
  assert(
    file == null,
    () =>
      `tokenizer: ${option} must come with --tokenizer-type ${type}, got '${file}' with another`,
  );
}

async function packagedGpt2(endOfDocument = END_OF_TEXT): Promise<LoadedTokenizer> {
  assert(
    endOfDocument === END_OF_TEXT,
    () => `tokenizer: --eod-token of GPT-2 must be ${END_OF_TEXT}, got '${endOfDocument}'`,
  );
  return {...(await gpt2Tokenizer()), hash: GPT2};
}

/** A byte-pair encoding over bytes is done by this library's own code, which is the fastest here. */
async function fromJson(
  json: unknown,
  name: string,
  endOfDocument: string | undefined,
): Promise<LoadedTokenizer> {
  const own = isByteLevel(json) && (endOfDocument ?? END_OF_TEXT) === END_OF_TEXT;
  const tokenizer = (own && tryByteLevel(json)) || (await huggingFace(json, name, endOfDocument));
  const {vocabSize, endOfText} = tokenizer;
  const isGpt2 = own && (await hasTokensOfGpt2(tokenizer));
  return {
    hash: isGpt2
      ? GPT2
      : createHash('sha256').update(JSON.stringify(json)).digest('hex').slice(0, 16),
    vocabSize,
    endOfText,
    encode: (text) => tokenizer.encode(text),
    decode: (ids) => tokenizer.decode(ids),
  };
}

/** Tokens in their order decide what a byte-pair encoding does. */
async function hasTokensOfGpt2(tokenizer: Tokenizer): Promise<boolean> {
  const gpt2 = await gpt2Tokenizer();
  if (tokenizer.vocabSize !== gpt2.vocabSize) {
    return false;
  }
  const ids = Array.from({length: gpt2.endOfText}, (_, id) => id);
  return tokenizer.decode(ids) === gpt2.decode(ids);
}

/** The fields that decide how a tokenizer.json encodes, as far as they are looked at here. */
interface ByteLevelJson {
  normalizer?: unknown;
  pre_tokenizer?: {type?: string; add_prefix_space?: boolean; use_regex?: boolean};
  added_tokens?: unknown[];
  model?: {type?: string; ignore_merges?: boolean; dropout?: unknown};
}

/** Whether a tokenizer.json encodes as GPT-2's does. */
function isByteLevel(json: unknown): boolean {
  const {normalizer, pre_tokenizer: pre, added_tokens: added, model} = json as ByteLevelJson;
  return (
    normalizer == null &&
    pre?.type === 'ByteLevel' &&
    pre.add_prefix_space === false &&
    pre.use_regex !== false &&
    added?.length === 1 &&
    model?.type === 'BPE' &&
    model.dropout == null &&
    !model.ignore_merges
  );
}

function tryByteLevel(json: unknown): BytePairEncoding | undefined {
  try {
    return BytePairEncoding.fromJSON(json);
  } catch {
    return undefined; // Its ids are numbered in another way.
  }
}

async function huggingFace(
  json: unknown,
  name: string,
  endOfDocument: string | undefined,
): Promise<Tokenizer> {
  const {Tokenizer: HuggingFaceTokenizer} = await import('@huggingface/tokenizers');
  let tokenizer: InstanceType<typeof HuggingFaceTokenizer>;
  try {
    tokenizer = new HuggingFaceTokenizer(json as object, {});
  } catch (error) {
    throw new Error(
      `tokenizer: '${name}' must be a Hugging Face tokenizer.json, got one that cannot be used: ` +
        (error as Error).message,
      {cause: error},
    );
  }
  const candidates = endOfDocument == null ? END_TOKENS : [endOfDocument];
  const end = candidates.find((token) => tokenizer.token_to_id(token) != null);
  assert(
    end != null,
    () => `tokenizer: '${name}' must have a token that ends a document, ${candidates.join(' or ')}`,
  );
  let vocabSize = 0;
  for (const id of tokenizer.get_vocab().values()) {
    vocabSize = Math.max(vocabSize, id + 1);
  }
  return {
    vocabSize,
    endOfText: tokenizer.token_to_id(end)!,
    encode: (text) => tokenizer.encode(text, {add_special_tokens: false}).ids,
    decode: (ids) => tokenizer.decode(Array.from(ids)),
  };
}

/** GPT-2's two files as a tokenizer.json. */
function gpt2Json(vocabFile: string, mergeFile: string): object {
  const vocab = parseJson(vocabFile) as Record<string, number>;
  const lines = readText(mergeFile).split('\n');
  const merges = lines
    .filter((line) => line !== '' && !line.startsWith('#version'))
    .map((line) => line.trimEnd().split(' '));
  const wrong = merges.find(({length}) => length !== 2);
  assert(
    wrong == null,
    () => `tokenizer: lines of '${mergeFile}' must be two tokens, got '${wrong!.join(' ')}'`,
  );
  assert(
    Number.isInteger(vocab[END_OF_TEXT]),
    () => `tokenizer: '${vocabFile}' must have the token ${END_OF_TEXT}, got none`,
  );
  const byteLevel = {type: 'ByteLevel', add_prefix_space: false, use_regex: true};
  return {
    version: '1.0',
    added_tokens: [{id: vocab[END_OF_TEXT], content: END_OF_TEXT, special: true}],
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: {type: 'BPE', vocab, merges},
  };
}

function parseJson(file: string): unknown {
  const text = readText(file);
  try {
    const json: unknown = JSON.parse(text);
    if (json != null && typeof json === 'object') {
      return json;
    }
  } catch {
    // It is said below.
  }
  throw new Error(`tokenizer: file '${file}' must hold a JSON object, got something else`);
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(`tokenizer: file '${file}' cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
