import {basename, resolve} from 'node:path';
import {countParameters} from '../../models/language_model';
import type {StartedBackend} from '../../training/backend';
import {renderFigure} from '../../training/report/figure';
import {renderPage} from '../../training/report/page';
import {type ModelResult, resultsTable} from '../../training/report/results';
import type {RunFolder} from '../../training/run_folder';
import type {TrainingResult} from '../../training/train_language_model';
import {modelConfig, modelFlopsPerToken, modelName} from './model';
import type {Options} from './options';

/** The training loss of the result is the mean over this part of the steps, the last ones. */
const FINAL_PART = 0.05;

/** Leaves the figure and the page in the folder of a run, and says whether they are there. */
export function writeReport({
  options,
  folder,
  backend,
  result: {log, testLoss},
  vocabSize,
}: {
  options: Options;
  folder: RunFolder;
  backend: StartedBackend;
  result: TrainingResult;
  vocabSize: number;
}): boolean {
  const {microBatchSize, globalBatchSize = microBatchSize, seqLength, trainIters} = options;
  const config = modelConfig(options, vocabSize);
  const name = modelName(config);
  const parameters = countParameters(config);
  const flopsPerToken = modelFlopsPerToken(config);
  const losses = log.records.flatMap(({loss}) => loss ?? []);
  const last = losses.slice(-Math.ceil(losses.length * FINAL_PART));
  const validationLoss = log.records.flatMap((record) => record.validationLoss ?? []).at(-1) ?? NaN;
  const row: ModelResult = {
    name,
    steps: trainIters,
    parameters: parameters.total,
    activeParameters: parameters.active,
    flopsPerToken,
    trainLoss: last.reduce((sum, loss) => sum + loss, 0) / last.length,
    validationLoss,
    perplexity: Math.exp(validationLoss),
    testLoss,
    tokensPerSecond: (trainIters * globalBatchSize * seqLength) / log.seconds,
    seconds: log.seconds,
  };
  const title = `Training ${name}`;
  const subtitle = [
    basename(resolve(folder.path)),
    `${trainIters} steps of ${globalBatchSize} × ${seqLength} tokens`,
    backend.name,
  ].join(' · ');
  const flopsPerStep = flopsPerToken * globalBatchSize * seqLength;
  const figure = renderFigure([{name, flopsPerStep, records: log.records}], {title, subtitle});
  const shown = {...options, backend: backend.name, ...(backend.gpu != null && {gpu: backend.gpu})};
  const page = renderPage({title, figure, results: resultsTable([row]), config: shown});
  const written = [folder.write('report.svg', figure), folder.write('report.html', page)];
  return written.every(Boolean);
}
