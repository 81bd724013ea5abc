import {languageModel, type LanguageModelConfig} from '../../models/language_model';
import {withLinearCrossEntropy} from '../../models/linear_cross_entropy';
import type {StartedBackend} from '../../training/backend';
import type {RunConfig} from '../../training/checkpoint';
import type {BatchLoader} from '../../training/data/batch_loader';
import {evaluationData, sampleData} from '../../training/data/batch_queue';
import type {Split} from '../../training/data/splits';
import {peakFlops} from '../../training/peak_flops';
import {createProgress} from '../../training/progress';
import type {RunFolder} from '../../training/run_folder';
import type {StopRequest} from '../../training/stop_request';
import {TensorBoardLog} from '../../training/tensorboard/tensorboard_log';
import {trainLanguageModel, type TrainingResult} from '../../training/train_language_model';
import type {PretrainData} from './data';
import {modelConfig, modelFlopsPerToken, modelName} from './model';
import {createOptimizer} from './optimizer';
import type {Options} from './options';

/** One run: what to train, on what, and where to. */
export interface PretrainRun {
  options: Options;
  data: PretrainData;
  loader: BatchLoader;
  folder: RunFolder;
  backend: StartedBackend;
  stop: StopRequest;
}

/** Trains the model from its last checkpoint on. */
export async function train(run: PretrainRun): Promise<TrainingResult> {
  const {options, data, loader, folder, backend, stop} = run;
  const {trainIters: steps, microBatchSize, evalIters, keepCheckpoints} = options;
  const config = modelConfig(options, data.vocabSize);
  const {vocabSize} = config;
  const evaluated = (split: Split) => {
    const source = loader.batches(split, microBatchSize);
    const count = evalIters * optimizer.accumulationSteps;
    return source && evaluationData({vocabSize, source}, count);
  };
  const {model, loss} = withLinearCrossEntropy(languageModel(config));
  const optimizer = createOptimizer(options);
  const name = modelName(config);
  try {
    return await trainLanguageModel({
      ...{name, model, loss, optimizer, folder, stop, steps, keepCheckpoints},
      train: sampleData({vocabSize, source: loader.batches('train', microBatchSize)!}),
      validation: evaluated('valid'),
      test: evaluated('test'),
      evalEvery: options.evalInterval,
      saveEvery: options.saveInterval,
      loadEvery: options.logInterval,
      config: runConfig(options, config, data),
      flopsPerToken: modelFlopsPerToken(config),
      peakFlops: peakFlops(backend.gpu, backend.precision),
      sinks: [new TensorBoardLog(folder)],
      createProgress: (firstStep) => createProgress(name, firstStep, steps),
    });
  } finally {
    model.dispose();
    optimizer.dispose();
  }
}

/**
 * What makes a run another run. What is only looked at more or less often does not, and neither does the
 * size of a micro-batch: it may have to be smaller where memory has run out.
 */
function runConfig(options: Options, model: LanguageModelConfig, data: PretrainData): RunConfig {
  const {microBatchSize, globalBatchSize = microBatchSize, trainIters, seed, split} = options;
  const {optimizer, lr, minLr, lrDecayStyle, lrDecayIters, lrWarmupFraction, lrWarmupIters} =
    options;
  const {weightDecay, adamBeta1, adamBeta2, adamEps, clipGrad, fp16, bf16} = options;
  const {moe, ...dense} = model;
  return {
    ...{...dense, ...moe},
    ...{globalBatchSize, trainIters, seed},
    ...{optimizer, lr, minLr, lrDecayStyle, lrDecayIters, lrWarmupFraction, lrWarmupIters},
    ...{weightDecay, adamBeta1, adamBeta2, adamEps, clipGrad, halfPrecision: fp16 ?? bf16},
    ...{split, data: data.identity},
  };
}
