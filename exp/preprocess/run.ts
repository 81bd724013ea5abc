import {SingleBar} from 'cli-progress';
import {existsSync} from 'node:fs';
import {join} from 'node:path';
import {formatCount} from '../../training/format';
import {Interrupts} from '../../training/interrupts';
import {listInputs} from '../../training/preprocess/input';
import {learnTokenizerFile} from '../../training/preprocess/learn_tokenizer';
import {
  preprocess,
  type PreprocessOptions,
  type PreprocessProgress,
} from '../../training/preprocess/preprocess';
import {createThreadRunner} from '../../training/preprocess/task_runner';
import {stopAtExit} from '../../training/stop_at_exit';
import type {Options} from './options';

/** The worker's bundle lies beside the command's. */
const WORKER = join(__dirname, 'preprocess_worker.cjs');

/**
 * Makes the data sets.
 *
 * @returns The exit code.
 */
export async function run(options: Options): Promise<number> {
  const work = await describeWork(options);
  const runner = await createThreadRunner(work, WORKER, options.workers);
  const interrupts = new Interrupts();
  const progress = createProgress(work);
  const stop = new AbortController();
  interrupts.watch({request: (signal) => stop.abort(signal)});
  const begin = performance.now();
  let result;
  try {
    result = await preprocess({...work, onProgress: progress.update, signal: stop.signal}, runner);
  } finally {
    progress.stop();
    interrupts.dispose();
    await runner.close();
  }
  const seconds = (performance.now() - begin) / 1000;
  console.log(
    `${formatCount(result.documents)} documents, ${formatCount(result.tokens)} tokens, ` +
      `${(result.bytes / 1e6).toFixed(1)} MB; it took ${seconds.toFixed(1)} s`,
  );
  if (result.finished) {
    result.prefixes.forEach((prefix) => console.log(`${prefix}.bin and .idx are written.`));
    return 0;
  }
  console.log(`Stopped (${stop.signal.reason}). The same command goes on from here.`);
  return interrupts.exitCode;
}

/** The work that options ask for; learns a tokenizer first where it is to be learned. */
async function describeWork(options: Options): Promise<PreprocessOptions> {
  const {input, inputFormat, outputPrefix, jsonKeys, splitSentences, appendEod} = options;
  const inputs = listInputs(input, inputFormat);
  const {fresh} = options;
  const common = {inputs, outputPrefix, jsonKeys, splitSentences, appendEod, fresh};
  const {vocabFile, mergeFile, eodToken: endOfDocument, learnVocab} = options;
  if (learnVocab == null) {
    const {tokenizerType: type, tokenizerModel: model} = options;
    return {...common, tokenizer: {type, vocabFile, mergeFile, model, endOfDocument}};
  }
  const model = `${outputPrefix}_tokenizer.json`;
  if (options.fresh || !existsSync(model)) {
    await learnTokenizerFile(model, inputs, jsonKeys, learnVocab);
    console.log(`The tokenizer is written to ${model}.`);
  } else {
    console.log(`The tokenizer is ${model}, which was learned before; --fresh learns it anew.`);
  }
  return {...common, tokenizer: {type: 'HuggingFaceTokenizer', model}};
}

/** A bar on a terminal, where the size of the input is known; nothing elsewhere. */
function createProgress({inputs}: PreprocessOptions) {
  const total = inputs.reduce((sum, {size}) => sum + (size ?? NaN), 0);
  const {stderr} = process;
  if (!stderr.isTTY || Number.isNaN(total)) {
    return {update: () => undefined, stop: () => undefined};
  }
  const bar = new SingleBar({
    stream: stderr,
    format: '{bar} {percentage}% · {tokens} tokens · {speed} MB/s · {eta_formatted} left',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 24,
    hideCursor: true,
    gracefulExit: false,
  });
  const begin = performance.now();
  let first: number | undefined;
  bar.start(total, 0, {tokens: 0, speed: '-'});
  return {
    update: ({bytes, tokens}: PreprocessProgress) => {
      first ??= bytes;
      const speed = (bytes - first) / 1000 / (performance.now() - begin);
      bar.update(bytes, {tokens: formatCount(tokens), speed: speed.toFixed(1)});
    },
    stop: stopAtExit(() => bar.stop()),
  };
}
