import {createHash} from 'node:crypto';
import {basename, join} from 'node:path';
import {startBackend, type StartedBackend} from '../../training/backend';
import {peakFlops} from '../../training/peak_flops';
import {RunFolder} from '../../training/run_folder';
import {RunLock} from '../../training/run_lock';
import {StopRequest} from '../../training/stop_request';
import type {TrainingResult} from '../../training/train_language_model';
import {type Corpus, loadCorpus} from './corpus';
import {Interrupts} from '../../training/interrupts';
import {MODEL_NAMES} from './model_kind';
import {MODEL_KINDS, type Options} from './options';
import {writeReport} from './report';
import {
  clearModel,
  describeModel,
  type ModelRun,
  readTrainedModel,
  runConfig,
  type TrainedModel,
  trainModel,
} from './train_model';

const RUNS = 'runs';
/** Where the tokenizers are kept that were learned before. */
const CACHE = join(RUNS, '.cache');

/**
 * Trains the models that are asked for one after the other, and reports on them.
 *
 * @returns The exit code.
 */
export async function run(options: Options): Promise<number> {
  const corpus = await loadCorpus(options, new RunFolder(CACHE));
  console.log(corpus.description);
  const interrupts = new Interrupts(); // Learning a tokenizer is not to hold up a signal.
  const backend = await startBackend(options.backend, options);
  console.log(backend.description);
  try {
    return await trainModels(options, corpus, backend, interrupts);
  } finally {
    backend.dispose();
  }
}

async function trainModels(
  options: Options,
  corpus: Corpus,
  backend: StartedBackend,
  interrupts: Interrupts,
): Promise<number> {
  const folder = new RunFolder(options.out ?? join(RUNS, runName(options, corpus)));
  const lock = RunLock.acquire(folder.path);
  try {
    return await trainInFolder(folder, options, corpus, backend, interrupts);
  } finally {
    lock.release();
  }
}

async function trainInFolder(
  folder: RunFolder,
  options: Options,
  corpus: Corpus,
  backend: StartedBackend,
  interrupts: Interrupts,
): Promise<number> {
  const models = options.models.map((kind) => ({
    ...{kind, options, corpus},
    peakFlops: peakFlops(backend.gpu, backend.precision),
    folder: folder.folder(kind),
  }));
  [folder, ...models.map((model) => model.folder)].forEach((one) => one.removeLeftovers());
  if (options.fresh) {
    models.forEach(clearModel);
  }
  const budget = new TimeBudget(options.timeBudget);
  const trained: TrainedModel[] = [];
  for (const [i, model] of models.entries()) {
    const result = await finishModel(model, interrupts, budget.share(models.length - i));
    if (result == null) {
      return interrupts.exitCode;
    }
    trained.push(result);
  }
  writeReport({folder, backend, options, trained});
  return 0;
}

/** Trains a model, unless that is done; undefined where the program is to end. */
async function finishModel(
  model: ModelRun,
  interrupts: Interrupts,
  milliseconds: number | undefined,
): Promise<TrainedModel | undefined> {
  console.log(`\n${describeModel(model)}`);
  const earlier = readTrainedModel(model);
  if (earlier != null) {
    console.log(`It is trained already, in ${model.folder.path}; --fresh trains it anew.`);
    return earlier;
  }
  const stop = new StopRequest();
  if (milliseconds != null) {
    stop.requestAfter(milliseconds, 'the time is up');
  }
  interrupts.watch(stop);
  const {training, trained} = await trainModel(model, stop, () => interrupts.check());
  const interrupted = await interrupts.check();
  interrupts.watch(undefined);
  if (training.step < model.options.steps || interrupted) {
    console.log(describeStop(model, training, stop));
  }
  return interrupted ? undefined : trained;
}

function describeStop(
  {kind, options, folder}: ModelRun,
  {step, saved}: TrainingResult,
  stop: StopRequest,
): string {
  const where = `${MODEL_NAMES[kind]} stopped at step ${step} of ${options.steps} (${stop.reason})`;
  return saved
    ? `${where} and is saved in ${folder.path}. The same command goes on from there.`
    : `${where}. It could not be saved: the same command goes on from the last checkpoint, if any.`;
}

/** The data and what makes this run another than all others. */
function runName(options: Options, corpus: Corpus): string {
  const folder = new RunFolder('');
  const configs = MODEL_KINDS.map((kind) => runConfig({kind, options, corpus, folder}));
  const hash = createHash('sha256').update(JSON.stringify(configs)).digest('hex');
  return `${basename(options.data)}-${hash.slice(0, 8)}`;
}

/** Minutes that several models share. */
class TimeBudget {
  private readonly end?: number;

  constructor(minutes: number | undefined) {
    this.end = minutes == null ? undefined : performance.now() + minutes * 60_000;
  }

  /** The milliseconds for one of so many models that are left; undefined where there is no limit. */
  share(modelsLeft: number): number | undefined {
    return this.end == null ? undefined : Math.max(0, this.end - performance.now()) / modelsLeft;
  }
}
