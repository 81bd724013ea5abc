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
import {findBackends, startBackend} from './backends';
import {type Corpus, loadCorpus, loadTokenizer} from './corpus';
import {LoadedRun} from './loaded_run';
import {RecordSender} from './record_sender';
import {RunFiles} from './run_files';
import {StepGap} from './step_gap';
import type {TokenChoices, TrainingEvents, TrainingOutcome, WritingOptions} from './trainer_api';

const EVALUATION_BATCHES = 4;
/** How long after a failure the loss of a GPU may be told. */
const MILLISECONDS_UNTIL_LOST = 1000;

/** What the page asks of its worker. It computes one run at a time, and keeps its model at hand. */
export class Trainer {
  private readonly gap = new StepGap();
  private loaded?: LoadedRun;
  private stop?: StopRequest;

  /** @param onLost Hears when the GPU is lost; nothing more can then be asked. */
  constructor(private readonly onLost: (message: string) => void) {}

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
    return this.gap.whileTraining(async (gapCallback) => {
      await startBackend(backendName, this.onLost);
      const files = await RunFiles.open(run.id, events.onWarning);
      const corpus = await loadCorpus(run, files);
      this.unload();
      const loaded = new LoadedRun(run, backendName, files, corpus.tokenizer);
      this.loaded = loaded;
      const sender = new RecordSender(events.onRecords);
      try {
        const {step, saved} = await lossFirst(
          trainLanguageModel({
            ...trainingOptions(loaded, corpus),
            stop,
            sinks: [sender],
            callbacks: [gapCallback],
            createProgress: (firstStep) => {
              events.onBegin(firstStep);
              return NO_PROGRESS;
            },
          }),
        );
        // Else what is logged would go beyond what is saved.
        return {step, saved: saved && (await files.flush())};
      } finally {
        await sender.flush();
      }
    });
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
      const loaded = training ? this.loaded! : await this.open(run, backendName);
      return lossFirst(compute(loaded));
    });
  }

  /** The run with its last checkpoint. */
  private async open(run: Run, backendName: BackendName): Promise<LoadedRun> {
    const {loaded: last} = this;
    if (last?.run.id === run.id && last.backendName === backendName) {
      return last;
    }
    await startBackend(backendName, this.onLost);
    const files = await RunFiles.open(run.id, () => undefined);
    const tokenizer = loadTokenizer(files);
    if (tokenizer == null) {
      throw new Error('This run has not saved anything yet.');
    }
    this.unload();
    const loaded = new LoadedRun(run, backendName, files, tokenizer);
    try {
      compile(loaded.model, loaded);
      await new Checkpoints({storage: files, config: runConfig(run)}).restore(loaded.model);
    } catch (error) {
      loaded.dispose();
      throw error;
    }
    this.loaded = loaded; // Only one that is what was saved.
    return loaded;
  }

  private unload() {
    this.loaded?.dispose();
    this.loaded = undefined;
  }
}

/** A GPU that is lost fails what waits for it, and may say only then that it is lost: that is told first. */
async function lossFirst<T>(computing: Promise<T>): Promise<T> {
  try {
    return await computing;
  } catch (error) {
    await new Promise((resolve) => setTimeout(resolve, MILLISECONDS_UNTIL_LOST));
    throw error;
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
