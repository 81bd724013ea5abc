import {existsSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {countParameters} from '../../models/language_model';
import {startBackend} from '../../training/backend';
import type {BatchLoader} from '../../training/data/batch_loader';
import {GptLoader} from '../../training/data/gpt_loader';
import {LoaderThread} from '../../training/data/loader_thread';
import {formatCount, formatPerplexity} from '../../training/format';
import {Interrupts} from '../../training/interrupts';
import {RunFolder} from '../../training/run_folder';
import {RunLock} from '../../training/run_lock';
import {StopRequest} from '../../training/stop_request';
import type {TrainingResult} from '../../training/train_language_model';
import {findData, loaderConfig, type PretrainData} from './data';
import {modelConfig, modelFlopsPerToken, modelName} from './model';
import type {Options} from './options';
import {writeReport} from './report';
import {smokeOptions} from './smoke';
import {type PretrainRun, train} from './train';

/** The bundle of the thread that reads samples. */
const LOADER = join(__dirname, 'loader_worker.cjs');

/**
 * Trains a model, unless that is done.
 *
 * @param ignored Options that were given and change nothing.
 * @returns The exit code.
 */
export async function run(given: Options, ignored: readonly string[] = []): Promise<number> {
  if (ignored.length > 0) {
    console.log(`Without effect here: ${ignored.join(', ')}.`);
  }
  const data = await findData(given);
  const interrupts = new Interrupts();
  try {
    console.log(describeModel(given, data.vocabSize));
    const options = given.smoke ? smokeOptions(given) : given;
    if (given.smoke) {
      rmSync(options.save, {recursive: true, force: true});
      console.log(`Tried at a fraction of its width: ${describeModel(options, data.vocabSize)}`);
    }
    const lock = RunLock.acquire(options.save);
    try {
      return await trainInFolder(options, data, interrupts);
    } finally {
      lock.release();
    }
  } finally {
    interrupts.dispose();
  }
}

async function trainInFolder(
  options: Options,
  data: PretrainData,
  interrupts: Interrupts,
): Promise<number> {
  const folder = new RunFolder(options.save);
  folder.removeLeftovers();
  const loader = await startLoader(options, data);
  try {
    const precision = options.fp16 || options.bf16 ? 'float16' : 'float32';
    const backend = await startBackend(options.backend, {...options, precision});
    console.log(backend.description);
    try {
      return await trainOn({options, data, loader, folder, backend}, interrupts);
    } finally {
      backend.dispose();
    }
  } finally {
    await loader.close();
  }
}

async function trainOn(run: Omit<PretrainRun, 'stop'>, interrupts: Interrupts): Promise<number> {
  const {options, data, folder, backend} = run;
  const stop = new StopRequest();
  interrupts.watch(stop);
  const result = await train({...run, stop});
  const interrupted = await interrupts.check();
  interrupts.watch(undefined);
  if (result.step < options.trainIters) {
    console.log(
      `Stopped at step ${result.step} of ${options.trainIters} (${stop.reason}). ` +
        `The same command goes on from ${result.saved ? 'there' : 'the last checkpoint, if any'}.`,
    );
  } else {
    const test = describeTest(options, data, result);
    if (test != null) {
      console.log(test);
    }
    if (writeReport({options, folder, backend, result, vocabSize: data.vocabSize})) {
      console.log(`The curves and the experts' load: ${join(folder.path, 'report.html')}`);
    }
  }
  return interrupted ? interrupts.exitCode : 0;
}

/** A line about the test; undefined where none was asked for. */
function describeTest(
  {split, evalIters}: Options,
  {testTokens}: PretrainData,
  {testLoss}: TrainingResult,
): string | undefined {
  if (testLoss != null) {
    return `Test loss ${testLoss.toFixed(3)}, perplexity ${formatPerplexity(testLoss)}`;
  }
  const isAskedFor = evalIters > 0 && Number(split.split(',')[2] ?? 0) > 0;
  return isAskedFor
    ? `Not tested: the test part of --split ${split} has ${testTokens} tokens, less than a sample`
    : undefined;
}

/** Reads in a thread, where its bundle lies beside the command's; else, as in tests, in this one. */
function startLoader(options: Options, data: PretrainData): Promise<BatchLoader> | BatchLoader {
  const config = loaderConfig(options, data);
  return existsSync(LOADER) ? LoaderThread.start(config, LOADER) : new GptLoader(config);
}

/** One line about the model. */
function describeModel(options: Options, vocabSize: number): string {
  const config = modelConfig(options, vocabSize);
  const {total, active} = countParameters(config);
  return (
    `${modelName(config)}: ${total.toLocaleString('en')} parameters, ${formatCount(active)} active, ` +
    `${formatCount(modelFlopsPerToken(config))} FLOPs a token`
  );
}
