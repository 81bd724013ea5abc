import {readFileSync} from 'node:fs';
import {assert} from '../../src/asserts';
import type {DocumentBlock} from '../data/indexed_dataset_writer';
import {loadTokenizer, type TokenizerFiles} from '../tokenizer_files';
import {decodeUtf8} from '../utf8';
import {DocumentEncoder, type EncodingOptions} from './document_encoder';

// A task is a part of the input that one worker encodes by itself. What it needs to say and to hear can
// be passed between threads.

/** Whole lines of a JSONL file, or a text file, which is one document. */
export type Task = {
  /** What errors call the input. */
  name: string;
} & ({kind: 'jsonl'; bytes: Uint8Array; position: number} | {kind: 'text'; bytes?: Uint8Array});

/** How tasks are done: the same for all of them. */
export interface TaskOptions extends EncodingOptions {
  tokenizer: TokenizerFiles;
  /** The fields of a line that have text; each becomes a data set. */
  jsonKeys: string[];
}

/** A block for each of the keys. */
export type TaskResult = DocumentBlock[];

/** Does tasks. */
export type TaskFunction = (task: Task) => TaskResult;

/** Loads the tokenizer; what is returned does one task after the other. */
export async function createTaskFunction(options: TaskOptions): Promise<TaskFunction> {
  const {jsonKeys, tokenizer} = options;
  const encoder = new DocumentEncoder(await loadTokenizer(tokenizer), options);
  return (task) => readDocuments(task, jsonKeys).map((documents) => encoder.encode(documents));
}

/** The documents of a task, for each of the keys. */
export function readDocuments(task: Task, jsonKeys: readonly string[]): string[][] {
  if (task.kind === 'text') {
    return [[decode(task.name, task.bytes ?? readFileSync(task.name))]];
  }
  const lines = parseLines(task);
  return jsonKeys.map((key) => lines.map((line) => line.text(key)));
}

/** A line of a JSONL file. */
interface Line {
  /** The text of a field. */
  text: (key: string) => string;
}

function parseLines({name, bytes, position}: Task & {kind: 'jsonl'}): Line[] {
  const lines: Line[] = [];
  for (let begin = 0; begin < bytes.length;) {
    const newline = bytes.indexOf(10, begin);
    const end = newline < 0 ? bytes.length : newline;
    const text = decode(name, bytes.subarray(begin, end));
    if (text.trim() !== '') {
      lines.push(parseLine(text, `'${name}', line at byte ${position + begin}`));
    }
    begin = end + 1;
  }
  return lines;
}

function parseLine(text: string, where: string): Line {
  let value: Record<string, unknown> | undefined;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`preprocess: ${where}: must be JSON, got ${(error as Error).message}`, {
      cause: error,
    });
  }
  return {
    text: (key) => {
      const field = value?.[key];
      assert(
        typeof field === 'string',
        () => `preprocess: ${where}: field '${key}' must be a text, got ${JSON.stringify(field)}`,
      );
      return field;
    },
  };
}

function decode(name: string, bytes: Uint8Array): string {
  return decodeUtf8(bytes, (found) => `preprocess: '${name}' must be UTF-8 text, got ${found}`);
}
