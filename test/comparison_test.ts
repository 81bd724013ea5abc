import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {parseOptions} from '../exp/compare/options';
import {run} from '../exp/compare/run';
import {MetricsLog, type MetricsRecord} from '../training/metrics_log';
import {compareRuns, describeSpeedup} from '../training/report/comparison';
import type {ReportedModel} from '../training/report/panel';
import {loadRuns, runsTable} from '../training/report/runs';
import {RunFolder} from '../training/run_folder';
import {writeRunInfo} from '../training/run_info';

/** Sixty steps of a loss that falls in a line; validated every ten. */
function records(fallPerStep: number, secondsPerStep: number): MetricsRecord[] {
  return Array.from({length: 60}, (_, i) => {
    const step = i + 1;
    const loss = 4 - fallPerStep * step;
    const at = {step, seconds: step * secondsPerStep, tokens: step * 1000};
    return step % 10 === 0
      ? [
          {...at, loss},
          {...at, validationLoss: loss},
        ]
      : [{...at, loss}];
  }).flat();
}

const fast: ReportedModel = {name: 'dMoE', flopsPerStep: 2e9, records: records(0.02, 3)};
const slow: ReportedModel = {name: 'dense', flopsPerStep: 1e9, records: records(0.01, 1)};

let path: string;
beforeEach(() => (path = mkdtempSync(join(tmpdir(), 'compare-'))));
afterEach(() => rmSync(path, {recursive: true}));

function writeRun(folder: string, {name, records}: ReportedModel, flopsPerToken?: number) {
  const run = new RunFolder(join(path, folder));
  const log = MetricsLog.open(run);
  records.forEach((record) => log.add(record));
  writeRunInfo(run, {name, flopsPerToken, config: {}});
}

describe('the comparison of runs', () => {
  it('says how much faster one reaches the best loss of the other', () => {
    // Half of the steps, between two validations or at one; twice the operations and three times the time.
    const [speedup, ...others] = compareRuns([fast, slow]);
    expect(others).toEqual([]); // The slow one never comes so far.
    expect(speedup).toMatchObject({model: 'dMoE', baseline: 'dense'});
    expect(speedup.loss).toBeCloseTo(3.4, 10);
    const expected = {steps: 2, tokens: 2, compute: 1, time: 2 / 3};
    Object.entries(expected).forEach(([axis, factor]) =>
      expect(speedup.factors[axis as keyof typeof expected]).toBeCloseTo(factor, 10),
    );
    expect(describeSpeedup(speedup)).toBe(
      'dMoE reaches the best validation loss of dense, 3.400, so many times as fast: 2.00 in steps, ' +
        '2.00 in tokens, 1.00 in compute and 0.67 in time.',
    );
  });

  it('has nothing to say without validation', () => {
    const without = {...fast, records: fast.records.filter(({loss}) => loss != null)};
    expect(compareRuns([without, slow])).toEqual([]);
  });

  it('finds runs in folders, and folders of runs in one', () => {
    writeRun('both/dmoe', fast, 2e6);
    writeRun('both/dense', slow, 1e6);
    writeRun('again', slow);
    const runs = loadRuns([join(path, 'both'), join(path, 'again')]);
    expect(runs.map(({name}) => name)).toEqual([
      `dense (${join(path, 'both/dense')})`,
      'dMoE',
      `dense (${join(path, 'again')})`,
    ]);
    expect(runs.map(({flopsPerStep}) => flopsPerStep)).toEqual([1e9, 2e9, NaN]);
    expect(runsTable(runs).slice(1)).toEqual([
      [runs[0].name, '60', '60.0 k', '60.0 G', '3.410', '3.400', '60', '1:00'],
      ['dMoE', '60', '60.0 k', '120 G', '2.820', '2.800', '60', '3:00'],
      [runs[2].name, '60', '60.0 k', '-', '3.410', '3.400', '60', '1:00'],
    ]);
  });

  it('leaves a page with the curves', () => {
    writeRun('dmoe', fast, 2e6);
    writeRun('dense', slow, 1e6);
    const print = jest.spyOn(console, 'log').mockImplementation();
    const out = join(path, 'out');
    expect(run(parseOptions([join(path, 'dmoe'), join(path, 'dense'), '--out', out]))).toBe(0);
    expect(print.mock.calls.flat().join('\n')).toContain(
      'dMoE reaches the best validation loss of',
    );
    print.mockRestore();
    const page = readFileSync(join(out, 'compare.html'), 'utf8');
    for (const text of [
      'Loss over steps',
      'Loss over tokens',
      'Loss over compute',
      'so many times',
    ]) {
      expect(page).toContain(text);
    }
  });

  it('refuses what is no run', () => {
    expect(() => loadRuns([path])).toThrow(`compare: '${path}' must be the folder of a run`);
    const empty = new RunFolder(join(path, 'empty'));
    writeRunInfo(empty, {name: 'empty', config: {}});
    expect(() => loadRuns([empty.path])).toThrow('must have logged a step, got none');
  });
});
