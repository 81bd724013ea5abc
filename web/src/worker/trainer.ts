import type {LayersModel} from '@tensorflow/tfjs-layers';
import {countParameters} from '../../../models/language_model';
import '../../../src/gradients/register_all_gradients';
import {sparseSoftmaxCrossEntropyLoss} from '../../../ops/sparse_softmax_cross_entropy';
import {Checkpoints, type RunConfig} from '../../../training/checkpoint';
import {compileLanguageModel} from '../../../training/language_model_loss';
import type {Progress} from '../../../training/progress';
import {textSamples} from '../../../training/short_run';
import {StopRequest} from '../../../training/stop_request';
import {trainLanguageModel, type TrainingOptions} from '../../../training/train_language_model';
import type {BackendName, BackendReport} from '../backend_report';
import type {Run} from '../run';
import {cadence, describeModel, modelConfig, type Settings, SIZES} from '../settings';
import {findBackends, startBackend, whenBackendIsLost} from './backends';
import {type Corpus, loadCorpus, loadTokenizer} from './corpus';
import {LoadedRun} from './loaded_run';
import {RecordSender} from './record_sender';
import {RunFiles} from './run_files';
import {withRunLock} from './run_lock';
import {StepGap} from './step_gap';
import type {TokenChoices, TrainingEvents, TrainingOutcome, WritingOptions} from './trainer_api';

const EVALUATION_BATCHES = 4;
/** How long after a failure the loss of a GPU may be told. */
const MILLISECONDS_UNTIL_LOST = 1000;

const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** What the page asks of its worker. It computes one run at a time, and keeps its model at hand. */
export class Trainer {
  private readonly gap = new StepGap();
  private loaded?: LoadedRun;
  private stop?: StopRequest;

  findBackends(): Promise<BackendReport[]> {
    return findBackends();
  }

  /** The parameters of a model: all, and those that compute for one token. */
  countParameters(settings: Settings): {total: number; active: number} {
    return countParameters(modelConfig(settings, SIZES[settings.size].vocab));
  }

  /**
   * Trains a run from its last checkpoint on, until it is finished or paused.
   *
   * @throws If the backend or the text fails, or the loss is not finite.
   */
  async train(
    run: Run,
    backendName: BackendName,
    events: TrainingEvents,
  ): Promise<TrainingOutcome> {
    const stop = new StopRequest();
    this.stop = stop;
    return withRunLock(run.id, () =>
      this.gap.whileTraining(async (gapCallback) => {
        await startBackend(backendName);
        const files = await RunFiles.open(run.id, events.onWarning);
        const corpus = await loadCorpus(run, files);
        const loaded = this.load(run, backendName, files, corpus.tokenizer);
        const sender = new RecordSender(events.onRecords);
        try {
          const training = trainLanguageModel({
            ...trainingOptions(loaded, corpus),
            stop,
            sinks: [sender],
            callbacks: [gapCallback],
            createProgress: (firstStep) => {
              events.onBegin(firstStep);
              return NO_PROGRESS;
            },
          });
          const lost = whenBackendIsLost();
          const outcome = training.catch(async (error: unknown) => {
            // A GPU that is lost fails what waits for it, and may say only then that it is lost.
            await Promise.race([lost, wait(MILLISECONDS_UNTIL_LOST)]);
            throw error;
          });
          const {step, saved} = await Promise.race([outcome, lost]);
          return {step, saved: (await files.flush()) && saved};
        } finally {
          sender.flush();
        }
      }),
    );
  }

  /** Ends the training after the step under way; `train` returns when it is saved. */
  pause() {
    this.stop?.request('paused');
  }

  /** Continues a text, and tells of it token by token. */
  write(
    run: Run,
    backendName: BackendName,
    prompt: string,
    options: WritingOptions,
    onText: (text: string) => void,
  ): Promise<string> {
    return this.withRun(run, backendName, (loaded) => loaded.write(prompt, options, onText));
  }

  /** Which experts the tokens of a text go to. */
  chooseExperts(run: Run, backendName: BackendName, text: string): Promise<TokenChoices> {
    return this.withRun(run, backendName, (loaded) => loaded.chooseExperts(text));
  }

  /** The weights as a safetensors file. */
  weights(run: Run, backendName: BackendName): Promise<Blob> {
    return this.withRun(run, backendName, (loaded) => loaded.weights());
  }

  private withRun<T>(
    run: Run,
    backendName: BackendName,
    compute: (loaded: LoadedRun) => Promise<T>,
  ): Promise<T> {
    return this.gap.run(async (training) => {
      if (training && this.loaded?.run.id !== run.id) {
        throw new Error('Another run is training.');
      }
      return compute(training ? this.loaded! : await this.open(run, backendName));
    });
  }

  /** The run with its last checkpoint. */
  private async open(run: Run, backendName: BackendName): Promise<LoadedRun> {
    const {loaded: last} = this;
    if (last?.run.id === run.id && last.backendName === backendName) {
      return last;
    }
    await startBackend(backendName);
    const files = await RunFiles.open(run.id, () => undefined);
    const tokenizer = loadTokenizer(files);
    if (tokenizer == null) {
      throw new Error('This run has not saved anything yet.');
    }
    const loaded = this.load(run, backendName, files, tokenizer);
    compile(loaded.model, loaded);
    await new Checkpoints({storage: files, config: runConfig(run)}).restore(loaded.model);
    return loaded;
  }

  private load(...args: ConstructorParameters<typeof LoadedRun>): LoadedRun {
    this.loaded?.dispose();
    this.loaded = new LoadedRun(...args);
    return this.loaded;
  }
}

function compile(model: LayersModel, {optimizer}: LoadedRun) {
  compileLanguageModel(model, optimizer, sparseSoftmaxCrossEntropyLoss);
}

/** What its checkpoints are known by. */
function runConfig({settings, textId}: Run): RunConfig {
  return {...settings, text: textId};
}

function trainingOptions(
  {run, model, optimizer, files}: LoadedRun,
  corpus: Corpus,
): Omit<TrainingOptions, 'stop' | 'createProgress'> {
  const {settings} = run;
  const {size, steps, seed} = settings;
  const {batch: batchSize, sequence: sequenceLength} = SIZES[size];
  const {train, validation} = textSamples({...corpus, steps, batchSize, sequenceLength, seed});
  return {
    ...{name: describeModel(settings), model, optimizer, folder: files, steps},
    ...cadence(settings),
    loss: sparseSoftmaxCrossEntropyLoss,
    train,
    validation: validation(EVALUATION_BATCHES),
    config: runConfig(run),
  };
}

/** The page draws its own, from what is logged. */
const NO_PROGRESS: Progress = {
  step: () => undefined,
  note: () => undefined,
  stop: () => undefined,
};
