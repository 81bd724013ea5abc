import {createHash} from 'node:crypto';
import {countCharacters, splitDocuments, type TextDocument} from '../../training/documents';
import {countIds, encodeDocuments, type Tokenizer} from '../../training/encode_documents';
import type {RunFolder} from '../../training/run_folder';
import {loadTextData} from '../../training/text_data';
import {gpt2Tokenizer, learnTokenizer} from '../../training/tokenizer';
import type {Options} from './options';

/** The text of a run as a model sees it. */
export interface Corpus {
  tokenizer: Tokenizer;
  /** V of the model: all tokens, and padding where the preset has it. */
  vocabSize: number;
  /** The ids of each document. */
  train: Int32Array[];
  validation: Int32Array[];
  /** How many bytes of the validation text a token stands for. */
  bytesPerToken: number;
  /** Tells whether a text is the same. */
  hash: string;
  /** What the samples go on from. */
  prompts: string[];
  /** A line that says what it is. */
  description: string;
}

/** What the samples go on from, where nothing else is asked for. */
const PROMPTS: Record<string, string[]> = {
  'moby-dick': ['The whale', '“Captain Ahab,” said Starbuck,'],
  sotu: ['My fellow Americans,', 'The state of our Union'],
};
const PROMPT_WORDS = 6;

/** Loads the text, holds a part out, and encodes both; the tokenizer learns from the first alone. */
export async function loadCorpus(options: Options, cache: RunFolder): Promise<Corpus> {
  const {data, vocab, prompt} = options;
  const {train, validation} = splitDocuments(await loadTextData(data));
  const isGpt2 = options.tokenizer === 'gpt2';
  const tokenizer = isGpt2 ? await gpt2Tokenizer() : learnTokenizer(train, vocab, cache);
  const ids = {
    train: encodeDocuments(tokenizer, train),
    validation: encodeDocuments(tokenizer, validation),
  };
  return {
    ...ids,
    tokenizer,
    vocabSize: isGpt2 ? Math.max(vocab, tokenizer.vocabSize) : tokenizer.vocabSize,
    bytesPerToken: countBytes(validation) / countIds(ids.validation),
    hash: hashText([...train, ...validation]),
    prompts: prompt == null ? (PROMPTS[data] ?? firstPrompt(validation)) : [prompt],
    description:
      `${data}: ${format(countCharacters(train))} characters to train on and ` +
      `${format(countCharacters(validation))} held out; ${format(countIds(ids.train))} and ` +
      `${format(countIds(ids.validation))} tokens of a vocabulary of ${format(tokenizer.vocabSize)}`,
  };
}

function countBytes(documents: TextDocument[]): number {
  return documents.reduce((sum, {text}) => sum + Buffer.byteLength(text), 0);
}

function hashText(documents: TextDocument[]): string {
  const hash = createHash('sha256');
  documents.forEach(({text}) => hash.update(text).update('\0'));
  return hash.digest('hex').slice(0, 12);
}

/** The first words that are held out. A part of a document may have none. */
function firstPrompt(documents: TextDocument[]): string[] {
  return documents
    .map(({text}) => firstWords(text))
    .filter(Boolean)
    .slice(0, 1);
}

function firstWords(text: string): string {
  return text.trim().split(/\s+/).slice(0, PROMPT_WORDS).join(' ');
}

function format(count: number): string {
  return count.toLocaleString('en');
}
