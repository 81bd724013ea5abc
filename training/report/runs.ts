import {join} from 'node:path';
import {formatCount, formatDuration} from '../format';
import {MetricsLog} from '../metrics_log';
import {RunFolder} from '../run_folder';
import {readRunInfo} from '../run_info';
import {lossCurve} from './curves';
import type {ReportedModel} from './panel';

/**
 * Reads the runs of folders.
 *
 * @param paths Folders of runs, or folders that hold such, as `npm start` leaves them.
 * @throws If a folder is neither, or a run has logged nothing.
 */
export function loadRuns(paths: readonly string[]): ReportedModel[] {
  const runs = paths.flatMap((path) =>
    runFolders(path).map((folder) => ({path: folder.path, run: loadRun(folder)})),
  );
  const isAmbiguous = (name: string) => runs.filter(({run}) => run.name === name).length > 1;
  return runs.map(({path, run}) =>
    isAmbiguous(run.name) ? {...run, name: `${run.name} (${path})`} : run,
  );
}

function runFolders(path: string): RunFolder[] {
  const folder = new RunFolder(path);
  const inside = folder.list().map((name) => new RunFolder(join(path, name)));
  const found = [folder, ...inside].filter((candidate) => readRunInfo(candidate) != null);
  if (found.length === 0) {
    throw new Error(
      `compare: '${path}' must be the folder of a run, which has a run.json, or hold such folders, ` +
        'got neither',
    );
  }
  return found;
}

function loadRun(folder: RunFolder): ReportedModel {
  const {name, flopsPerToken = NaN} = readRunInfo(folder)!;
  const records = MetricsLog.read(folder);
  const last = records.at(-1);
  if (last == null) {
    throw new Error(`compare: the run in '${folder.path}' must have logged a step, got none`);
  }
  return {name, flopsPerStep: (flopsPerToken * (last.tokens ?? NaN)) / last.step, records};
}

/** The columns of the table: a heading, and what stands below it. */
const COLUMNS: [heading: string, cell: (run: ReportedModel) => string][] = [
  ['run', ({name}) => name],
  ['steps', ({records}) => records.at(-1)!.step.toLocaleString('en')],
  ['tokens', ({records}) => known(records.at(-1)!.tokens, formatCount)],
  ['FLOPs', ({records, flopsPerStep}) => known(records.at(-1)!.step * flopsPerStep, formatCount)],
  ['train loss', ({records}) => known(meanOfLast(records.flatMap(({loss}) => loss ?? [])), fixed)],
  ['best val loss', (run) => known(best(run)?.[1], fixed)],
  ['at step', (run) => known(best(run)?.[0], (step) => step.toLocaleString('en'))],
  ['time', ({records}) => formatDuration(records.at(-1)!.seconds)],
];

/** The runs as rows of text, the headings first. */
export function runsTable(runs: readonly ReportedModel[]): string[][] {
  return [
    COLUMNS.map(([heading]) => heading),
    ...runs.map((run) => COLUMNS.map(([, cell]) => cell(run))),
  ];
}

function known(value: number | undefined, format: (value: number) => string): string {
  return value == null || !Number.isFinite(value) ? '-' : format(value);
}

function fixed(value: number): string {
  return value.toFixed(3);
}

/** The mean over the last twentieth. */
function meanOfLast(values: number[]): number {
  const last = values.slice(-Math.ceil(values.length / 20));
  return last.reduce((sum, value) => sum + value, 0) / last.length;
}

/** The step of the lowest validation loss, and that loss. */
function best(run: ReportedModel): [step: number, loss: number] | undefined {
  const curve = lossCurve(run, 'steps', 'validationLoss');
  return curve.length === 0 ? undefined : curve.reduce((a, b) => (b[1] < a[1] ? b : a));
}
