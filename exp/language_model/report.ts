import {cpus} from 'node:os';
import {join} from 'node:path';
import type {StartedBackend} from '../../training/backend';
import {renderFigure} from '../../training/report/figure';
import {renderPage} from '../../training/report/page';
import type {ReportedModel} from '../../training/report/panel';
import {compareResults, formatTable, resultsTable} from '../../training/report/results';
import type {RunFolder} from '../../training/run_folder';
import {MODEL_NAMES} from './model_kind';
import type {Options} from './options';
import type {TrainedModel} from './train_model';

/** What a report is about. */
export interface Run {
  folder: RunFolder;
  backend: StartedBackend;
  options: Options;
  trained: readonly TrainedModel[];
}

/** Prints the samples and the table, and leaves them with the figure in the folder of the run. */
export function writeReport({folder, backend, options, trained}: Run) {
  const results = trained.map(({result}) => result);
  const samples = trained.flatMap((model) => model.samples);
  const {name, gpu, precision} = backend;
  const cores = cpus();
  const machine = {
    backend: name,
    ...(gpu != null && {gpu, precision}),
    ...{cpu: cores[0]?.model, cores: cores.length, node: process.version},
  };
  const title = results.map(({name}) => name).join(' and ');
  const figure = renderFigure(
    trained.map((model) => reportedModel(model, options)),
    {title: `Training ${title}`, subtitle: describe(options, name)},
  );

  samples.forEach(({model, prompt, continuation}) =>
    console.log(`\n${model} writes: ${`${prompt}${continuation}`.replace(/\s+/g, ' ')}`),
  );
  console.log(`\n${formatTable(resultsTable(results))}\n`);
  const dense = results.find(({name}) => name === MODEL_NAMES.dense);
  if (dense != null) {
    results
      .filter((result) => result !== dense)
      .forEach((result) => console.log(compareResults(result, dense)));
  }
  const config = {...options};
  const written = [
    folder.write('results.json', JSON.stringify({machine, config, results, samples}, null, 2)),
    folder.write('report.svg', figure),
    folder.write(
      'report.html',
      renderPage({
        ...{title, figure, samples},
        results: resultsTable(results),
        config: {...machine, ...config},
      }),
    ),
  ];
  if (written.every(Boolean)) {
    console.log(`The curves and the experts' load: ${join(folder.path, 'report.html')}`);
  }
}

function reportedModel({result, records}: TrainedModel, options: Options): ReportedModel {
  const {batch, sequence} = options;
  return {name: result.name, flopsPerStep: result.flopsPerToken * batch * sequence, records};
}

function describe(options: Options, backend: string): string {
  const {data, steps, batch, sequence, layers, hidden, experts, topK, seed} = options;
  return [
    data,
    `${steps} steps of ${batch} × ${sequence} tokens`,
    `${layers} layers, hidden size ${hidden}`,
    `${experts} experts, top-${topK}`,
    `seed ${seed}`,
    backend,
  ].join(' · ');
}
