import {existsSync, readFileSync, rmSync} from 'node:fs';
import {basename, dirname} from 'node:path';
import type {Readable} from 'node:stream';
import {assert} from '../../src/asserts';
import {configDifferences} from '../checkpoint';
import {dtypeOfVocab} from '../data/dtypes';
import {IndexedDatasetWriter, type WriterState} from '../data/indexed_dataset_writer';
import {RunFolder} from '../run_folder';
import {loadTokenizer} from '../tokenizer_files';
import {type InputFile, type InputPosition, readParts} from './input';
import type {TaskOptions, TaskResult} from './task';
import type {TaskRunner} from './task_runner';

/** What to make data sets of. */
export interface PreprocessOptions extends TaskOptions {
  inputs: readonly InputFile[];
  /** Each data set is `<outputPrefix>_<key>_document`, or `_sentence`. */
  outputPrefix: string;
  /** Where '-' is read from. */
  stdin?: Readable;
  /** Seconds from one moment that the work can be resumed at to the next. Default 10. */
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
 * @throws If a data set of the name is there, if interrupted work was of another configuration, or if
 *     the input cannot be read; what was done before can be resumed.
 */
export async function preprocess(
  options: PreprocessOptions,
  runner: TaskRunner,
): Promise<PreprocessResult> {
  const work = new PreprocessWork(options, await describeDataset(options));
  try {
    return await work.run(runner);
  } finally {
    work.close();
  }
}

async function describeDataset(options: PreprocessOptions): Promise<DatasetDescription> {
  const {hash, vocabSize, endOfText} = await loadTokenizer(options.tokenizer);
  const {appendEod} = options;
  return {tokenizerHash: hash, vocabSize, endOfDocument: endOfText, appendEod};
}

class PreprocessWork {
  private readonly prefixes: string[];
  private readonly folder: RunFolder;
  private readonly stateFile: string;
  private readonly config: SavedState['config'];
  private readonly writers: IndexedDatasetWriter[];
  private position: InputPosition = {file: 0, byte: 0};
  private bytes = 0;
  private isOpen = true;

  constructor(
    private readonly options: PreprocessOptions,
    private readonly description: DatasetDescription,
  ) {
    const {inputs, outputPrefix, jsonKeys, splitSentences} = options;
    this.prefixes = outputPrefixes(options);
    this.folder = new RunFolder(dirname(outputPrefix), (message) => {
      throw new Error(`preprocess: ${message}`);
    });
    this.stateFile = `${basename(outputPrefix)}.preprocess.json`;
    this.config = {...description, inputs, jsonKeys, splitSentences};
    const saved = this.readState();
    this.position = saved?.position ?? this.position;
    this.bytes = saved?.bytes ?? 0;
    const dtype = dtypeOfVocab(description.vocabSize);
    this.writers = this.prefixes.map((prefix, i) =>
      saved == null
        ? IndexedDatasetWriter.create(prefix, dtype)
        : IndexedDatasetWriter.resume(prefix, dtype, saved.writers[i]),
    );
  }

  async run(runner: TaskRunner): Promise<PreprocessResult> {
    const {inputs, stdin, signal, flushSeconds = 10} = this.options;
    const underWay: {next: InputPosition; size: number; result: Promise<TaskResult>}[] = [];
    let flushed = performance.now();
    const write = async () => {
      const {next, size, result} = underWay.shift()!;
      const blocks = await result;
      this.writers.forEach((writer, i) => writer.addBlock(blocks[i]));
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
    const finished = this.position.file === inputs.length;
    if (finished) {
      this.finish();
    } else {
      this.saveState();
    }
    return {...this.progress(), finished, prefixes: this.prefixes};
  }

  close() {
    if (this.isOpen) {
      this.isOpen = false;
      this.writers.forEach((writer) => writer.close());
    }
  }

  private finish() {
    this.prefixes.forEach((prefix, i) => {
      // Before the data set, which is complete when its index is there.
      this.folder.write(basename(descriptionFile(prefix)), `${JSON.stringify(this.description)}\n`);
      this.writers[i].finish();
    });
    this.isOpen = false;
    this.folder.remove(this.stateFile);
  }

  private progress(): PreprocessProgress {
    const written = this.writers.map((writer) => writer.written);
    return {
      bytes: this.bytes,
      documents: written[0].numDocuments,
      tokens: written.reduce((sum, {numTokens}) => sum + numTokens, 0),
    };
  }

  private saveState() {
    const writers = this.writers.map((writer) => writer.flush());
    const {config, position, bytes} = this;
    const state: SavedState = {config, position, bytes, writers};
    this.folder.write(this.stateFile, JSON.stringify(state));
  }

  private readState(): SavedState | undefined {
    const file = this.folder.read(this.stateFile);
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

/** Removes what interrupted work left. */
export function clearPreprocess(options: PreprocessOptions) {
  rmSync(`${options.outputPrefix}.preprocess.json`, {force: true});
  for (const prefix of outputPrefixes(options)) {
    ['bin', 'sizes', 'documents', 'idx'].forEach((file) =>
      rmSync(`${prefix}.${file}.partial`, {force: true}),
    );
  }
}

/** How a data set was made; undefined where it was made by another program. */
export function readDescription(prefix: string): DatasetDescription | undefined {
  const file = descriptionFile(prefix);
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
}
