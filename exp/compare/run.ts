import {join} from 'node:path';
import {compareRuns, describeSpeedup} from '../../training/report/comparison';
import {AXES} from '../../training/report/curves';
import {renderFigure} from '../../training/report/figure';
import {renderPage} from '../../training/report/page';
import {formatTable} from '../../training/report/results';
import {loadRuns, runsTable} from '../../training/report/runs';
import {RunFolder} from '../../training/run_folder';
import type {Options} from './options';

/**
 * Prints how runs compare, and leaves a page with their curves.
 *
 * @returns The exit code.
 */
export function run({runs: paths, out}: Options): number {
  const runs = loadRuns(paths);
  const rows = runsTable(runs);
  const notes = compareRuns(runs).map(describeSpeedup);
  console.log(`${[formatTable(rows), ...notes].join('\n')}\n`);
  const title = runs.map(({name}) => name).join(' and ');
  const axes = AXES.filter(
    (axis) => axis !== 'compute' || runs.every(({flopsPerStep}) => Number.isFinite(flopsPerStep)),
  );
  const figure = renderFigure(runs, {title, subtitle: paths.join(' · ')}, axes);
  const folder = new RunFolder(out, (message) => console.error(`error: compare: ${message}`));
  const page = renderPage({title, figure, results: rows, notes});
  if (folder.write('compare.svg', figure) && folder.write('compare.html', page)) {
    console.log(`The curves: ${join(out, 'compare.html')}`);
    return 0;
  }
  return 1;
}
