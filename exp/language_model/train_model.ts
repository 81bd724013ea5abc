import type {LayersModel} from '@tensorflow/tfjs-layers';
import {generate} from '../../models/generate';
import {countParameters, languageModel} from '../../models/language_model';
import {sparseSoftmaxCrossEntropyLoss} from '../../ops/sparse_softmax_cross_entropy';
import {AdamWOptimizer} from '../../training/optimizers/adamw';
import {ADAMW, textSamples, warmUpAndCosine} from '../../training/short_run';
import {Checkpoints, configDifferences, type RunConfig} from '../../training/checkpoint';
import {formatCount} from '../../training/format';
import {TensorBoardLog} from '../../training/tensorboard/tensorboard_log';
import {evaluateLanguageModel} from '../../training/language_model_loss';
import {MetricsLog, type MetricsRecord} from '../../training/metrics_log';
import {createProgress} from '../../training/progress';
import type {Sample} from '../../training/report/page';
import type {ModelResult} from '../../training/report/results';
import type {RunFolder} from '../../training/run_folder';
import type {StopRequest} from '../../training/stop_request';
import {
  trainLanguageModel,
  type TrainingOptions,
  type TrainingResult,
} from '../../training/train_language_model';
import type {Corpus} from './corpus';
import {MODEL_NAMES, modelConfig, modelFlopsPerToken} from './model_kind';
import type {ModelKind, Options} from './options';

/** A model of a run: what it is, and where its files are. */
export interface ModelRun {
  kind: ModelKind;
  options: Options;
  corpus: Corpus;
  folder: RunFolder;
  /** The operations a second that the device has at most, where that is known. */
  peakFlops?: number;
}

/** What a trained model came to. */
export interface TrainedModel {
  result: ModelResult;
  samples: Sample[];
  records: readonly MetricsRecord[];
}

const RESULT_FILE = 'result.json';

/** The training loss of the result is the mean over this part of the steps, the last ones. */
const FINAL_PART = 0.05;

/** What a finished run of the same configuration came to, if there was one. */
export function readTrainedModel(run: ModelRun): TrainedModel | undefined {
  const file = run.folder.read(RESULT_FILE);
  if (file == null) {
    return undefined;
  }
  const {config, result, samples} = JSON.parse(file.toString('utf8'));
  const isSame = configDifferences(config, runConfig(run)).length === 0;
  return isSame
    ? {result, samples, records: MetricsLog.read(run.folder, run.options.steps)}
    : undefined;
}

/** Removes what an earlier run left, so that the next one begins anew. */
export function clearModel(run: ModelRun) {
  new Checkpoints({storage: run.folder, config: runConfig(run)}).clear();
  run.folder.remove(RESULT_FILE);
}

/** One line about the model. */
export function describeModel(run: ModelRun): string {
  const {kind, options, corpus} = run;
  const {total, active} = countParameters(modelConfig(kind, options, corpus.vocabSize));
  return (
    `${MODEL_NAMES[kind]}: ${formatCount(total)} parameters, ${formatCount(active)} active, ` +
    `${formatCount(modelFlopsPerToken(kind, options, corpus.vocabSize))} FLOPs a token`
  );
}

/**
 * Trains a model from its last checkpoint on, then evaluates it and lets it write.
 *
 * @param isInterrupted Whether the program is to end: then what is left to do is left out, and so is
 *     `trained`.
 */
export async function trainModel(
  run: ModelRun,
  stop: StopRequest,
  isInterrupted: () => Promise<boolean>,
): Promise<{training: TrainingResult; trained?: TrainedModel}> {
  const {kind, options, corpus, folder} = run;
  const model = languageModel(modelConfig(kind, options, corpus.vocabSize));
  const {steps, lr, warmup} = options;
  const learningRate = warmUpAndCosine(steps, lr, warmup);
  const optimizer = new AdamWOptimizer({learningRate, ...ADAMW});
  try {
    const training = await trainLanguageModel(trainingOptions(run, model, optimizer, stop));
    const result = (await isInterrupted()) ? undefined : await evaluate(run, model, training);
    const samples = await writeSamples(run, model, isInterrupted);
    if (result == null || samples == null) {
      return {training};
    }
    const trained = {result, samples, records: training.log.records};
    if (training.step === options.steps) {
      folder.write(RESULT_FILE, JSON.stringify({config: runConfig(run), result, samples}, null, 2));
    }
    return {training, trained};
  } finally {
    model.dispose();
    optimizer.dispose();
  }
}

/** What makes a run another run. What is only looked at more or less often does not. */
export function runConfig({kind, options, corpus}: ModelRun): RunConfig {
  const {layers, hidden, heads, ffn, sequence, tokenizer, experts, topK, capacityFactor} = options;
  const {initStd, normalize, lossWeight, steps, batch, lr, warmup, seed} = options;
  const dense = {ffn: topK * ffn};
  const routed = {ffn, experts, topK, normalize, lossWeight};
  const feedForward = {dense, dmoe: routed, moe: {...routed, capacityFactor}}[kind];
  return {
    model: MODEL_NAMES[kind],
    ...{layers, hidden, heads, initStd, ...feedForward, sequence},
    ...{text: corpus.hash, tokenizer, vocab: corpus.vocabSize},
    ...{steps, batch, lr, warmup, seed},
  };
}

function trainingOptions(
  run: ModelRun,
  model: LayersModel,
  optimizer: AdamWOptimizer,
  stop: StopRequest,
): TrainingOptions {
  const {kind, options, corpus, folder} = run;
  const {steps, evalEvery, evalBatches, saveEvery, loadEvery} = options;
  const name = MODEL_NAMES[kind];
  const {train, validation} = samplesOf(run);
  return {
    ...{name, model, optimizer, folder, stop, steps, evalEvery, saveEvery, loadEvery},
    loss: sparseSoftmaxCrossEntropyLoss,
    train,
    validation: validation(evalBatches),
    config: runConfig(run),
    peakFlops: run.peakFlops,
    sinks: [new TensorBoardLog(folder)],
    flopsPerToken: modelFlopsPerToken(kind, options, corpus.vocabSize),
    createProgress: (firstStep) => createProgress(name, firstStep, steps),
  };
}

function samplesOf({corpus, options}: ModelRun) {
  const {steps, batch: batchSize, sequence: sequenceLength, seed} = options;
  return textSamples({...corpus, steps, batchSize, sequenceLength, seed});
}

async function evaluate(
  run: ModelRun,
  model: LayersModel,
  {step, log}: TrainingResult,
): Promise<ModelResult> {
  const {kind, options, corpus} = run;
  const {batch, sequence} = options;
  const validationLoss = await evaluateLanguageModel(model, samplesOf(run).validation());
  const parameters = countParameters(modelConfig(kind, options, corpus.vocabSize));
  const losses = log.records.flatMap(({loss}) => loss ?? []);
  return {
    name: MODEL_NAMES[kind],
    steps: step,
    parameters: parameters.total,
    activeParameters: parameters.active,
    flopsPerToken: modelFlopsPerToken(kind, options, corpus.vocabSize),
    trainLoss: mean(losses.slice(-Math.ceil(losses.length * FINAL_PART))),
    validationLoss,
    perplexity: Math.exp(validationLoss),
    bitsPerByte: validationLoss / Math.LN2 / corpus.bytesPerToken,
    tokensPerSecond: (step * batch * sequence) / log.seconds,
    seconds: log.seconds,
  };
}

/** What the model writes after each prompt; undefined where that was interrupted. */
async function writeSamples(
  {kind, options, corpus}: ModelRun,
  model: LayersModel,
  isInterrupted: () => Promise<boolean>,
): Promise<Sample[] | undefined> {
  const {tokenizer, prompts} = corpus;
  const samples: Sample[] = [];
  for (const prompt of prompts) {
    if (await isInterrupted()) {
      return undefined;
    }
    const ids = await generate(model, Array.from(tokenizer.encode(prompt)), {
      maxNewTokens: options.sampleTokens,
      temperature: options.temperature,
      topP: 0.95,
      endToken: tokenizer.endOfText,
      seed: options.seed,
    });
    // The ids that pad the vocabulary stand for no text.
    const continuation = tokenizer.decode(ids.filter((id) => id < tokenizer.vocabSize));
    samples.push({model: MODEL_NAMES[kind], prompt, continuation});
  }
  return samples;
}

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
