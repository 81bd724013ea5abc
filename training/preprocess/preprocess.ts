import {existsSync, readFileSync, rmdirSync} from 'node:fs';
import type {Readable} from 'node:stream';
import {assert} from '../../src/asserts';
import {configDifferences} from '../checkpoint';
import {dtypeOfVocab} from '../data/dtypes';
import {indexedDatasetFiles} from '../data/indexed_dataset';
import {
  IndexedDatasetWriter,
  removePartialFiles,
  type WriterState,
} from '../data/indexed_dataset_writer';
import {writeFileAtomically} from '../files';
import {RunFolder} from '../run_folder';
import {RunLock} from '../run_lock';
import {loadTokenizer} from '../tokenizer_files';
import {type InputFile, type InputPosition, readParts} from './input';
import type {TaskOptions, TaskResult} from './task';
import type {TaskRunner} from './task_runner';

/** What to make data sets of. */
export interface PreprocessOptions extends TaskOptions {
  inputs: readonly InputFile[];
  /** Each data set is `<outputPrefix>_<key>_document`, or `_sentence`. */
  outputPrefix: string;
  /** Whether to begin anew where earlier work was interrupted. Default false. */
  fresh?: boolean;
  /** Where '-' is read from. */
  stdin?: Readable;
  /** Seconds from one moment that the work can be resumed at to the next. Default 5. */
  flushSeconds?: number;
  onProgress?: (progress: PreprocessProgress) => void;
  /** Ends the work at the next moment that it can be resumed at. */
  signal?: AbortSignal;
}

/** How far the work is. */
export interface PreprocessProgress {
  bytes: number;
  documents: number;
  tokens: number;
}

/** What came of it. */
export interface PreprocessResult extends PreprocessProgress {
  /** Whether all is done. */
  finished: boolean;
  /** The data sets. */
  prefixes: string[];
}

/** What is kept to resume the work. */
interface SavedState {
  config: Record<string, unknown>;
  position: InputPosition;
  bytes: number;
  writers: WriterState[];
}

/** What is written beside a data set: how it was made, to be compared when it is trained on. */
export interface DatasetDescription {
  tokenizerHash: string;
  vocabSize: number;
  endOfDocument: number;
  appendEod: boolean;
}

/** The file that describes a data set. */
export function descriptionFile(prefix: string): string {
  return `${prefix}.json`;
}

/** The data sets that inputs become, one for each key. */
export function outputPrefixes({outputPrefix, jsonKeys, splitSentences}: PreprocessOptions) {
  const level = splitSentences ? 'sentence' : 'document';
  return jsonKeys.map((key) => `${outputPrefix}_${key}_${level}`);
}

/**
 * Makes indexed data sets of text: encodes it in parts, several at a time, and writes them in order.
 * Where earlier work of the same configuration was interrupted, this goes on with it.
 *
 * @throws If a data set of the name is there or in work by another process, if interrupted work was of another configuration, or if
 *     the input cannot be read; what was done before can be resumed.
 */
export async function preprocess(
  options: PreprocessOptions,
  runner: TaskRunner,
): Promise<PreprocessResult> {
  const description = await describeDataset(options);
  const folder = workFolder(options);
  const lock = RunLock.acquire(folder.path);
  try {
    folder.removeLeftovers();
    if (options.fresh) {
      outputPrefixes(options).forEach(removePartialFiles);
      folder.remove(STATE_FILE);
    }
    const work = new PreprocessWork(options, description, folder);
    try {
      return await work.run(runner);
    } finally {
      work.close();
    }
  } finally {
    lock.release();
    removeIfEmpty(folder);
  }
}

const STATE_FILE = 'state.json';

/** Where the state is kept until the work is done. */
function workFolder({outputPrefix}: PreprocessOptions): RunFolder {
  return new RunFolder(`${outputPrefix}.preprocess`, (message) => {
    throw new Error(`preprocess: ${message}`);
  });
}

function removeIfEmpty(folder: RunFolder) {
  if (folder.list().length === 0) {
    rmdirSync(folder.path);
  }
}

async function describeDataset(options: PreprocessOptions): Promise<DatasetDescription> {
  const {hash, vocabSize, endOfText} = await loadTokenizer(options.tokenizer);
  const {appendEod} = options;
  return {tokenizerHash: hash, vocabSize, endOfDocument: endOfText, appendEod};
}

class PreprocessWork {
  private readonly prefixes: string[];
  private readonly config: SavedState['config'];
  /** Of each prefix; undefined where its data set was finished before the work was interrupted. */
  private readonly writers: (IndexedDatasetWriter | undefined)[];
  private position: InputPosition = {file: 0, byte: 0};
  private bytes = 0;
  private written: WriterState[];
  private isOpen = true;

  constructor(
    private readonly options: PreprocessOptions,
    private readonly description: DatasetDescription,
    private readonly folder: RunFolder,
  ) {
    const {inputs, jsonKeys, splitSentences} = options;
    this.prefixes = outputPrefixes(options);
    this.config = {...description, inputs, jsonKeys, splitSentences};
    const saved = this.readState();
    this.position = saved?.position ?? this.position;
    this.bytes = saved?.bytes ?? 0;
    const dtype = dtypeOfVocab(description.vocabSize);
    this.written = saved?.writers ?? [];
    this.writers = this.prefixes.map((prefix, i) => {
      if (saved == null) {
        return IndexedDatasetWriter.create(prefix, dtype);
      }
      const isDone = this.isAtEnd && existsSync(indexedDatasetFiles(prefix).idx);
      return isDone ? undefined : IndexedDatasetWriter.resume(prefix, dtype, saved.writers[i]);
    });
  }

  async run(runner: TaskRunner): Promise<PreprocessResult> {
    const {inputs, stdin, signal, flushSeconds = 5} = this.options;
    const underWay: {next: InputPosition; size: number; result: Promise<TaskResult>}[] = [];
    let flushed = performance.now();
    const write = async () => {
      const {next, size, result} = underWay.shift()!;
      const blocks = await result;
      this.writers.forEach((writer, i) => writer!.addBlock(blocks[i]));
      this.written = this.writers.map((writer) => writer!.written);
      this.position = next;
      this.bytes += size;
      this.options.onProgress?.(this.progress());
      if (performance.now() - flushed > flushSeconds * 1000) {
        this.saveState();
        flushed = performance.now();
      }
    };
    try {
      for await (const {task, next} of readParts(inputs, this.position, stdin)) {
        const result = runner.run(task);
        result.catch(() => undefined); // It is thrown when its turn comes.
        const size = task.bytes?.length ?? inputs[next.file - 1].size!;
        underWay.push({next, size, result});
        if (underWay.length >= runner.concurrency) {
          await write();
        }
        if (signal?.aborted) {
          break;
        }
      }
      while (underWay.length > 0) {
        await write();
      }
    } catch (error) {
      this.saveState();
      throw error;
    }
    this.saveState();
    if (this.isAtEnd) {
      this.finish();
    }
    return {...this.progress(), finished: this.isAtEnd, prefixes: this.prefixes};
  }

  close() {
    if (this.isOpen) {
      this.isOpen = false;
      this.writers.forEach((writer) => writer?.close());
    }
  }

  private finish() {
    this.prefixes.forEach((prefix, i) => {
      // Before the data set, which is complete when its index is there.
      writeFileAtomically(descriptionFile(prefix), `${JSON.stringify(this.description)}\n`);
      this.writers[i]?.finish();
    });
    this.isOpen = false;
    this.prefixes.forEach(removePartialFiles);
    this.folder.remove(STATE_FILE);
  }

  /** Whether all input is encoded: then only names are left to give. */
  private get isAtEnd(): boolean {
    return this.position.file === this.options.inputs.length;
  }

  private progress(): PreprocessProgress {
    return {
      bytes: this.bytes,
      documents: this.written[0]?.numDocuments ?? 0,
      tokens: this.written.reduce((sum, {numTokens}) => sum + numTokens, 0),
    };
  }

  private saveState() {
    this.written = this.writers.map((writer, i) => writer?.flush() ?? this.written[i]);
    const {config, position, bytes, written: writers} = this;
    const state: SavedState = {config, position, bytes, writers};
    this.folder.write(STATE_FILE, JSON.stringify(state));
  }

  private readState(): SavedState | undefined {
    const file = this.folder.read(STATE_FILE);
    if (file == null) {
      return undefined;
    }
    const saved = JSON.parse(file.toString('utf8')) as SavedState;
    const config = JSON.parse(JSON.stringify(this.config));
    const differences = configDifferences(saved.config, config);
    assert(
      differences.length === 0,
      () =>
        `preprocess: interrupted work on '${this.options.outputPrefix}' must be of the same ` +
        `configuration, got ${differences.join('; ')}; --fresh begins anew`,
    );
    return saved;
  }
}

/** How a data set was made; undefined where it was made by another program. */
export function readDescription(prefix: string): DatasetDescription | undefined {
  const file = descriptionFile(prefix);
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
}
