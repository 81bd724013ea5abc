import {createReadStream, statSync} from 'node:fs';
import {extname} from 'node:path';
import {addAbortSignal, type Readable} from 'node:stream';
import {assert} from '../../src/asserts';
import {listFiles} from '../list_files';
import type {Task} from './task';

/** How an input is read: lines of JSON, or text that is one document. */
export const INPUT_FORMATS = ['jsonl', 'text'] as const;
export type InputFormat = (typeof INPUT_FORMATS)[number];

/** What stands for the standard input. */
export const STDIN = '-';

/** One file to read, or the standard input. */
export interface InputFile {
  path: string;
  format: InputFormat;
  /** In bytes; unknown of the standard input. */
  size?: number;
}

/** Where reading goes on: a file, and a byte in it. */
export interface InputPosition {
  file: number;
  byte: number;
}

/** A part of the input, and where the next part begins. */
export interface InputPart {
  task: Task;
  next: InputPosition;
}

const JSON_EXTENSIONS = ['.jsonl', '.json', '.ndjson'];

/** Lines are put together to parts of so many bytes, and small text files are parts of their own. */
const PART_BYTES = 2 ** 19;

/** A text is a string in memory while it is encoded. */
const MAX_TEXT_BYTES = 2 ** 28;

/**
 * The files of some inputs: files, folders (all files in them, in the order of their names; hidden ones
 * are left out) or '-', the standard input.
 *
 * @param format Of all files; without it, by the ends of their names, and JSONL from the standard input.
 * @throws If one is missing, of JSONL and no file, or there is nothing.
 */
export function listInputs(paths: readonly string[], format?: InputFormat): InputFile[] {
  const files = paths.flatMap((path) => listInput(path, format));
  assert(files.length > 0, () => `preprocess: --input must hold a file, got none in ${paths}`);
  const large = files.find(({format: kind, size = 0}) => kind === 'text' && size > MAX_TEXT_BYTES);
  assert(
    large == null,
    () =>
      `preprocess: text file '${large!.path}', which is one document, must have at most ` +
      `${MAX_TEXT_BYTES} bytes, got ${large!.size}; JSONL files may have any size`,
  );
  return files;
}

function listInput(path: string, format?: InputFormat): InputFile[] {
  if (path === STDIN) {
    return [{path, format: format ?? 'jsonl'}];
  }
  const kind = statSync(path, {throwIfNoEntry: false});
  assert(kind != null, () => `preprocess: --input '${path}' must exist, got none`);
  if (kind.isDirectory()) {
    return listFiles(path).flatMap((file) => listInput(file, format));
  }
  const isJson = JSON_EXTENSIONS.includes(extname(path).toLowerCase());
  const file = {path, format: format ?? (isJson ? 'jsonl' : 'text'), size: kind.size};
  assert(
    file.format === 'text' || kind.isFile(),
    () =>
      `preprocess: --input '${path}' must be a file, got a pipe or device; '-' takes one as standard input`,
  );
  return [file];
}

/** Fields of lines that are text, each for a data set: what they must be for these inputs. */
export function assertJsonKeys(jsonKeys: readonly string[], files: readonly InputFile[]) {
  assert(
    new Set(jsonKeys).size === jsonKeys.length,
    () => `preprocess: --json-keys must differ, got ${jsonKeys.join(' ')}`,
  );
  const text = files.find(({format}) => format === 'text');
  assert(
    text == null || jsonKeys.length === 1,
    () =>
      `preprocess: --json-keys must be one key, since '${text!.path}' is text without fields, ` +
      `got ${jsonKeys.join(' ')}`,
  );
}

/** How inputs are read. */
export interface ReadOptions {
  /** Where '-' is read from. */
  stdin?: Readable;
  /** Ends the reading, also while it waits for input. */
  signal?: AbortSignal;
}

/** Reads inputs from a position on, part by part. */
export async function* readParts(
  files: readonly InputFile[],
  from: InputPosition,
  options: ReadOptions = {},
): AsyncGenerator<InputPart> {
  try {
    yield* readAllParts(files, from, options);
  } catch (error) {
    if ((error as Error).name !== 'AbortError') {
      throw error;
    }
  }
}

async function* readAllParts(
  files: readonly InputFile[],
  from: InputPosition,
  {stdin = process.stdin, signal}: ReadOptions,
): AsyncGenerator<InputPart> {
  for (let file = from.file; file < files.length && !signal?.aborted; file++) {
    const byte = file === from.file ? from.byte : 0;
    const next = {file: file + 1, byte: 0};
    const {path, format} = files[file];
    if (format === 'jsonl') {
      for await (const part of readLines(path, byte, stdin, signal)) {
        const {position, bytes} = part;
        yield {
          task: {kind: 'jsonl', name: path, bytes, position},
          next: part.isLast ? next : {file, byte: position + bytes.length},
        };
      }
    } else if (path === STDIN) {
      const bytes = Buffer.concat(await stdin.toArray({signal}));
      yield {task: {kind: 'text', name: path, bytes}, next};
    } else {
      yield {task: {kind: 'text', name: path}, next};
    }
  }
}

/** Whole lines of a file, about PART_BYTES of them at a time. */
async function* readLines(
  path: string,
  from: number,
  stdin: Readable,
  signal: AbortSignal | undefined,
): AsyncGenerator<{bytes: Uint8Array; position: number; isLast: boolean}> {
  const stream =
    path === STDIN ? stdin : createReadStream(path, {start: from, highWaterMark: PART_BYTES});
  if (signal != null) {
    addAbortSignal(signal, stream);
  }
  let position = from;
  let toSkip = path === STDIN ? from : 0;
  let parts: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    const skipped = Math.min(toSkip, chunk.length);
    toSkip -= skipped;
    const bytes = chunk.subarray(skipped);
    const end = bytes.lastIndexOf(10) + 1;
    if (end > 0 && size + end >= PART_BYTES) {
      const whole = Buffer.concat([...parts, bytes.subarray(0, end)]);
      yield {bytes: whole, position, isLast: false};
      position += whole.length;
      parts = [];
      size = 0;
      keep(bytes.subarray(end));
    } else {
      keep(bytes);
    }
  }
  yield {bytes: Buffer.concat(parts), position, isLast: true};

  function keep(bytes: Buffer) {
    parts.push(bytes);
    size += bytes.length;
  }
}
