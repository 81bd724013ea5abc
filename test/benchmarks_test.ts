import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import * as tf from '@tensorflow/tfjs';
import {withFastMatMul} from '../benchmarks/fast_mat_mul';
import {feedForward, gatherLoop, maskedLoop} from '../benchmarks/feed_forward';
import {type Comparison, measure, median, type Run} from '../benchmarks/harness';
import {describeMachine} from '../benchmarks/machine';
import {plotReport} from '../benchmarks/plot';
import {formatTable, type Report, writeReport} from '../benchmarks/report';
import {layers} from '../src/index';
import {describeEachBackend} from './backends';
import {expectClose} from './close';
import {random} from './random';

/** A comparison of contenders that take the given milliseconds, by a clock of its own. */
function pretend(ms: Record<string, number[]>): {comparison: Comparison; calls: string[]} {
  let now = 0;
  jest.spyOn(performance, 'now').mockImplementation(() => now);
  const calls: string[] = [];
  const contender = (name: string): Run => {
    let run = 0;
    return () => {
      calls.push(name);
      now += ms[name][run++ % ms[name].length];
      return tf.zeros([2]);
    };
  };
  const contenders = Object.fromEntries(Object.keys(ms).map((name) => [name, contender(name)]));
  return {comparison: {title: 'work', shapes: {T: 8, H: 2}, flops: 3e6, contenders}, calls};
}

describe('the harness', () => {
  const effort = {seconds: 0.01, minRuns: 3, warmUpRuns: 2};

  beforeAll(async () => {
    tf.env().set('IS_TEST', true);
    await tf.setBackend('cpu');
  });
  afterEach(() => jest.restoreAllMocks());

  test('warms up, then lets the contenders take turns in a rotating order', () => {
    const {comparison, calls} = pretend({a: [5], b: [5]});
    measure(comparison, effort);
    expect(calls.join('')).toBe('aabb' + 'ab' + 'ba' + 'ab');
  });

  test('a contender that has used its time sits out, but never the baseline', () => {
    const {comparison} = pretend({baseline: [5], slow: [4], fast: [1]});
    const {measurements} = measure(comparison, effort);
    expect(measurements.map(({runs}) => runs)).toEqual([10, 3, 10]);
  });

  test('a contender that takes very long runs less often than demanded', () => {
    const {comparison} = pretend({baseline: [5], endless: [60]});
    const {measurements} = measure(comparison, effort);
    expect(measurements.map(({runs}) => runs)).toEqual([3, 2]);
  });

  test('compares each run with the baseline of its round', () => {
    // The machine slows down by half after the second round; the ratio stays.
    const {comparison} = pretend({baseline: [4, 4, 8], contender: [6, 6, 12]});
    const {measurements} = measure(comparison, {...effort, warmUpRuns: 3});
    expect(measurements).toEqual([
      {name: 'baseline', runs: 3, medianMs: 4, minMs: 4, gflops: 0.75, timeToBaseline: 1},
      {name: 'contender', runs: 3, medianMs: 6, minMs: 6, gflops: 0.5, timeToBaseline: 1.5},
    ]);
  });

  test('frees what a run makes', () => {
    const before = tf.memory().numTensors;
    measure(pretend({a: [5]}).comparison, effort);
    expect(tf.memory().numTensors).toBe(before);
  });

  test('takes the median of an even and an odd number of values', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });
});

describe('the report', () => {
  const report: Report = {
    benchmark: 'example',
    description: 'an example',
    date: new Date(0).toISOString(),
    machine: describeMachine(),
    results: [
      {
        title: 'work',
        shapes: {T: 8, H: 2},
        measurements: [
          {name: 'baseline', runs: 3, medianMs: 4, minMs: 3.5, gflops: 0.75, timeToBaseline: 1},
          {name: 'contender', runs: 10, medianMs: 6, minMs: 6, gflops: 0.5, timeToBaseline: 1.5},
        ],
      },
    ],
  };

  test('prints a table without the columns that have no value', () => {
    expect(formatTable(report.results[0]).split('\n')).toEqual([
      'work (T 8, H 2)  median ms  min ms  runs  GFLOP/s  time / baseline',
      '------------------------------------------------------------------',
      'baseline              4.00    3.50     3     0.75             1.00',
      'contender             6.00    6.00    10     0.50             1.50',
    ]);
  });

  test('is written as JSON', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tfjs-megablocks-bench-'));
    try {
      const path = writeReport(join(folder, 'new'), report);
      expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual(report);
    } finally {
      rmSync(folder, {recursive: true});
    }
  });

  test('is drawn as an SVG', () => {
    expect(plotReport(report)).toMatch(/^<svg[\s\S]*>contender<[\s\S]*<\/svg>$/);
  });
});

// A baseline that computes something else would prove nothing.
describeEachBackend('the baselines of dMoE', () => {
  const [T, H, F, E] = [12, 4, 6, 3];
  const matrix = (rows: number, columns: number, seed: number) =>
    tf.tensor2d(random(rows * columns, seed), [rows, columns]);

  afterEach(() => tf.disposeVariables());

  function outputAndGradient(f: (x: tf.Tensor2D) => tf.Tensor) {
    const dy = matrix(T, H, 2);
    const loss = (x: tf.Tensor) => tf.sum(tf.mul(f(x as tf.Tensor2D), dy));
    const x = matrix(T, H, 1);
    return {y: f(x), dx: tf.grad(loss)(x)};
  }

  test.each([
    ['maskedLoop', maskedLoop],
    ['gatherLoop', gatherLoop],
  ])('%s computes what dMoE does', (_, loop) => {
    tf.tidy(() => {
      const router = matrix(H, E, 3);
      const experts = Array.from({length: E}, (_, e) => ({
        w1: matrix(H, F, 4 + 2 * e),
        w2: matrix(F, H, 5 + 2 * e),
      }));
      const layer = layers.dMoE({ffnHiddenSize: F, moeNumExperts: E, bias: false});
      layer.build([null, H]);
      layer.setWeights([
        tf.transpose(router),
        tf.concat(experts.map(({w1}) => tf.transpose(w1))),
        tf.concat(experts.map(({w2}) => w2)),
      ]);
      const actual = outputAndGradient((x) => loop(x, router, experts));
      const expected = outputAndGradient((x) => layer.apply(x) as tf.Tensor);
      expectClose(actual.y, expected.y);
      expectClose(actual.dx, expected.dx);
    });
  });
});

describeEachBackend('withFastMatMul', () => {
  test('gives the product of tfjs its place back', () => {
    const kernel = () => tf.getKernel(tf.BatchMatMul, tf.getBackend());
    const before = kernel();
    const x = tf.tensor2d([1, 2, 3, 4], [2, 2]);
    const weights = {w1: x, w2: x};
    const y = withFastMatMul(() => feedForward(x, weights))() as tf.Tensor;
    expectClose(y, feedForward(x, weights));
    expect(kernel()).toBe(before);
  });
});
