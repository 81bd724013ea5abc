import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {MetricsLog} from '../training/metrics_log';
import {RunFolder} from '../training/run_folder';

let folder: RunFolder;
beforeEach(() => {
  folder = new RunFolder(mkdtempSync(join(tmpdir(), 'metrics-')));
});
afterEach(() => rmSync(folder.path, {recursive: true}));

const record = (step: number, seconds = step) => ({step, seconds, loss: 1 / step});

describe('the log of metrics', () => {
  it('is cut where a run goes on', () => {
    const log = MetricsLog.open(folder);
    [1, 2, 3].forEach((step) => log.add(record(step)));
    folder.append('metrics.jsonl', '{"step":4,"sec'); // Killed here.
    const next = MetricsLog.open(folder, 2);
    expect(next.seconds).toBe(2);
    next.add(record(3, 9));
    expect(MetricsLog.read(folder)).toEqual([record(1), record(2), record(3, 9)]);
    expect(MetricsLog.read(folder, 2)).toEqual([record(1), record(2)]);
  });

  it.each([1, 2])(
    'has each step once, though it could not be cut after step %d on a full disk',
    (cut) => {
      const log = MetricsLog.open(folder);
      [1, 2, 2, 3].forEach((step) => log.add(record(step)));
      jest.spyOn(folder, 'write').mockReturnValueOnce(false);
      const next = MetricsLog.open(folder, cut);
      // Two records of the last one: of the step and of an evaluation.
      [cut + 1, cut + 2, cut + 2].forEach((step) => next.add(record(step, 10 * step)));
      expect(next.records.slice(-3)).toEqual(
        [cut + 1, cut + 2, cut + 2].map((step) => record(step, 10 * step)),
      );
      expect(MetricsLog.read(folder)).toEqual(next.records);
    },
  );
});
