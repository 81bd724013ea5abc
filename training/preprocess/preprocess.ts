import {existsSync, readFileSync, rmdirSync} from 'node:fs';
import {assert} from '../../src/asserts';
import {configDifferences} from '../checkpoint';
import {dtypeOfVocab, type TokenDtype} from '../data/dtypes';
import {indexedDatasetFiles} from '../data/indexed_dataset';
import {
  IndexedDatasetWriter,
  removePartialFiles,
  type WriterState,
} from '../data/indexed_dataset_writer';
import {hasCode} from '../error_code';
import {writeFileAtomically} from '../files';
import {RunFolder} from '../run_folder';
import {RunLock} from '../run_lock';
import {loadTokenizer} from '../tokenizer_files';
import {
  assertJsonKeys,
  type InputFile,
  type InputPosition,
  type ReadOptions,
  readParts,
} from './input';
import type {TaskOptions, TaskResult} from './task';
import type {TaskRunner} from './task_runner';

/** What to make data sets of. */
export interface PreprocessOptions extends TaskOptions, ReadOptions {
  inputs: readonly InputFile[];
  /** Each data set is `<outputPrefix>_<key>_document`, or `_sentence`. */
  outputPrefix: string;
  /** Whether to begin anew where earlier work was interrupted. Default false. */
  fresh?: boolean;
  /** Seconds from one moment that the work can be resumed at to the next. Default 5. */
  flushSeconds?: number;
  onProgress?: (progress: PreprocessProgress) => void;
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
 * @throws If the keys do not suit the inputs, a data set of the name is there or in work by another process,
 *     interrupted work was of another configuration, or the input cannot be read; what was done before can be
 *     resumed.
 */
export async function preprocess(
  options: PreprocessOptions,
  runner: TaskRunner,
): Promise<PreprocessResult> {
  assertJsonKeys(options.jsonKeys, options.inputs);
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

/** Another process may use it by now. */
function removeIfEmpty({path}: RunFolder) {
  try {
    rmdirSync(path);
  } catch (error) {
    if (!hasCode(error, 'ENOTEMPTY', 'EEXIST', 'ENOENT')) {
      throw error;
    }
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
  private readonly writers: (IndexedDatasetWriter | undefined)[] = [];
  private position: InputPosition = {file: 0, byte: 0};
  private bytes = 0;
  /** Of each data set, what belongs to the input up to `position`. */
  private written: WriterState[];

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
    try {
      this.prefixes.forEach((prefix, i) =>
        this.writers.push(this.openWriter(prefix, dtype, saved?.writers[i])),
      );
    } catch (error) {
      this.close();
      throw error;
    }
    this.written = saved?.writers ?? this.writers.map((writer) => writer!.written);
  }

  private openWriter(prefix: string, dtype: TokenDtype, state: WriterState | undefined) {
    if (state == null) {
      return IndexedDatasetWriter.create(prefix, dtype);
    }
    const isDone = this.isAtEnd && existsSync(indexedDatasetFiles(prefix).idx);
    return isDone ? undefined : IndexedDatasetWriter.resume(prefix, dtype, state);
  }

  async run(runner: TaskRunner): Promise<PreprocessResult> {
    const {inputs, flushSeconds = 5} = this.options;
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
      for await (const {task, next} of readParts(inputs, this.position, this.options)) {
        const result = runner.run(task);
        result.catch(() => undefined); // It is thrown when its turn comes.
        const size = task.bytes?.length ?? inputs[next.file - 1].size!;
        underWay.push({next, size, result});
        if (underWay.length >= runner.concurrency) {
          await write();
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
    this.writers.forEach((writer) => writer?.close());
  }

  private finish() {
    this.prefixes.forEach((prefix, i) => {
      // Before the data set, which is complete when its index is there.
      writeFileAtomically(descriptionFile(prefix), `${JSON.stringify(this.description)}\n`);
      this.writers[i]?.finish();
    });
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
      documents: this.written[0].numDocuments,
      tokens: this.written.reduce((sum, {numTokens}) => sum + numTokens, 0),
    };
  }

  private saveState() {
    // A writer may have more, where another one could not write its part: that is cut off and comes anew.
    this.writers.forEach((writer) => writer?.flush());
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
