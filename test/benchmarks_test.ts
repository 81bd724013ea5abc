import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import * as tf from '@tensorflow/tfjs';
import {toContender, type Work} from '../benchmarks/differentiable';
import {withFastMatMul} from '../benchmarks/fast_mat_mul';
import {
  feedForward,
  type FeedForwardWeights,
  gatherLoop,
  maskedLoop,
  tokensOfExperts,
} from '../benchmarks/feed_forward';
import {type Comparison, measure, median, type Run} from '../benchmarks/harness';
import {describeMachine} from '../benchmarks/machine';
import {formatMarkdown, readReports} from '../benchmarks/markdown';
import {works as permuteWorks} from '../benchmarks/permute_bench';
import {plotReport} from '../benchmarks/plot';
import {formatTable, type Report, writeReport} from '../benchmarks/report';
import {works as routingWorks} from '../benchmarks/routing_bench';
import {normal, works as transformerWorks} from '../benchmarks/transformer_bench';
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

  test('warms up, then lets the contenders take turns in a rotating order', async () => {
    const {comparison, calls} = pretend({a: [5], b: [5]});
    await measure(comparison, effort);
    expect(calls.join('')).toBe('aabb' + 'ab' + 'ba' + 'ab');
  });

  test('a contender that has used its time sits out, but never the baseline', async () => {
    const {comparison} = pretend({baseline: [5], slow: [4], fast: [1]});
    const {measurements} = await measure(comparison, effort);
    expect(measurements.map(({runs}) => runs)).toEqual([10, 3, 10]);
  });

  test('a contender that takes very long runs less often than demanded', async () => {
    const {comparison} = pretend({baseline: [5], endless: [60]});
    const {measurements} = await measure(comparison, effort);
    expect(measurements.map(({runs}) => runs)).toEqual([3, 2]);
  });

  test('compares each run with the baseline of its round', async () => {
    // The machine slows down by half after the second round; the ratio stays.
    const {comparison} = pretend({baseline: [4, 4, 8], contender: [6, 6, 12]});
    const {measurements} = await measure(comparison, {...effort, warmUpRuns: 3});
    expect(measurements).toEqual([
      {name: 'baseline', runs: 3, medianMs: 4, minMs: 4, gflops: 0.75, timeToBaseline: 1},
      {name: 'contender', runs: 3, medianMs: 6, minMs: 6, gflops: 0.5, timeToBaseline: 1.5},
    ]);
  });

  test('repeats short work within a turn', async () => {
    const {comparison, calls} = pretend({baseline: [0.25], contender: [0.001]});
    const {measurements} = await measure(comparison, {...effort, warmUpRuns: 1});
    // 4 and 1024 in each of 10 turns, after a warm-up of 1 + 2 + 4 and 1 + 2 + ... + 1024.
    expect(measurements[0]).toMatchObject({runs: 40, medianMs: 0.25, minMs: 0.25});
    expect(measurements[1].runs).toBe(10240);
    expect(measurements[1].medianMs).toBeCloseTo(0.001, 6);
    expect(measurements[1].timeToBaseline).toBeCloseTo(0.004, 6);
    expect(calls).toHaveLength(7 + 40 + 2047 + 10240);
  });

  test('keeps any number of turns', async () => {
    const {comparison} = pretend({baseline: [1]});
    const {measurements} = await measure(comparison, {...effort, seconds: 200});
    expect(measurements[0]).toMatchObject({runs: 200_000, minMs: 1});
  });

  test('awaits a run that returns a promise', async () => {
    const {comparison, calls} = pretend({a: [5], b: [5]});
    const {a} = comparison.contenders;
    comparison.contenders.a = async () => {
      calls.push('(');
      await new Promise(setImmediate);
      a();
      calls.push(')');
    };
    const {measurements} = await measure(comparison, {...effort, warmUpRuns: 1});
    expect(calls.join('')).toBe('(a)b' + '(a)b' + 'b(a)' + '(a)b');
    expect(measurements.map(({medianMs}) => medianMs)).toEqual([5, 5]);
  });

  test('waits for the device at the end of each turn', async () => {
    const {comparison, calls} = pretend({a: [5], b: [5]});
    const synchronize = async () => {
      await new Promise(setImmediate);
      calls.push(';');
    };
    await measure(comparison, {...effort, warmUpRuns: 1}, synchronize);
    expect(calls.join('')).toBe('a;b;' + 'a;b;' + 'b;a;' + 'a;b;');
  });

  test('frees what a run makes', async () => {
    const before = tf.memory().numTensors;
    await measure(pretend({a: [5]}).comparison, effort);
    expect(tf.memory().numTensors).toBe(before);
  });

  test('frees what a run makes after it has waited', async () => {
    const before = tf.memory().numTensors;
    const {comparison} = pretend({a: [5]});
    const {a} = comparison.contenders;
    comparison.contenders.a = async () => {
      tf.zeros([2]);
      await new Promise(setImmediate);
      return a();
    };
    await measure(comparison, effort);
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
    machine: describeMachine({backend: 'cpu'}),
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
      expect(readReports(join(folder, 'new'))).toEqual([report]);
      expect(readReports(join(folder, 'missing'))).toEqual([]);
    } finally {
      rmSync(folder, {recursive: true});
    }
  });

  test('gives the highlights to the README, a table for each machine', () => {
    const [result] = report.results;
    const highlighted = {...report, results: [result, {...result, highlights: ['contender']}]};
    const on = (backend: string) => ({
      ...highlighted,
      machine: {...report.machine, backend, cpu: 'Chip', cores: 2},
    });
    const [here, , , , row, , there] = formatMarkdown([on('cpu'), on('wasm'), report]).split('\n');
    expect(here).toMatch(/^`cpu`, Chip, 2 cores, .*, TensorFlow.js 4/);
    expect(row).toBe('| work (T 8, H 2) | contender | 6.00 | baseline | 4.00 | 1.50 |');
    expect(there).toMatch(/^`wasm`, /);
    expect(formatMarkdown([report])).toBe('');
  });

  test('is drawn as an SVG', () => {
    expect(plotReport(report)).toMatch(/^<svg[\s\S]*>contender<[\s\S]*<\/svg>$/);
  });
});

/** The check for leaks of tfjs takes what tf.customGrad saves on wasm, a copy, for one. */
function ignoreSavedCopies() {
  beforeAll(() => tf.env().set('IS_TEST', false));
}

// A baseline that computes something else would prove nothing.
describeEachBackend('the baselines of dMoE', () => {
  ignoreSavedCopies();

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

  type Loop = (x: tf.Tensor2D, router: tf.Tensor2D, experts: FeedForwardWeights[]) => tf.Tensor;

  async function expectOfDMoE(makeLoop: (x: tf.Tensor2D, router: tf.Tensor2D) => Promise<Loop>) {
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
    const loop = await makeLoop(matrix(T, H, 1), router);
    const actual = outputAndGradient((x) => loop(x, router, experts));
    const expected = outputAndGradient((x) => layer.apply(x) as tf.Tensor);
    expectClose(actual.y, expected.y);
    expectClose(actual.dx, expected.dx);
  }

  test('maskedLoop computes what dMoE does', () => expectOfDMoE(async () => maskedLoop));

  test('gatherLoop computes what dMoE does', () =>
    expectOfDMoE(async (x, router) => {
      const tokens = await tokensOfExperts(x, router);
      return (...args) => gatherLoop(...args, tokens);
    }));
});

describeEachBackend('all contenders compute the same:', () => {
  ignoreSavedCopies();

  const works: [string, () => Work][] = [
    ...permuteWorks.map(named({T: 12, K: 2, H: 5, E: 3, B: 4})),
    ...routingWorks.map(named({T: 12, K: 2, E: 3, B: 4, F: 8})),
    ...transformerWorks.map(named({batch: 2, length: 6, H: 8, heads: 2, F: 10, V: 7}, normal)),
  ];

  function named<T extends unknown[]>(...sizes: T) {
    return (work: (...sizes: T) => Work): [string, () => Work] => [work.name, () => work(...sizes)];
  }

  test.each(works)('%s', (_, makeWork) => {
    tf.tidy(() => {
      const {inputs, contenders} = makeWork();
      const [baseline, ...others] = Object.values(contenders).map(
        (contender) => toContender(contender).compute,
      );
      const y = baseline(...inputs);
      for (const compute of others) {
        expectClose(compute(...inputs), y, {name: 'y'});
      }
      if (inputs.length === 0) {
        return;
      }
      const dy = tf.randomNormal(y.shape, 0, 1, 'float32', 9);
      const expected = tf.grads(baseline)(inputs, dy);
      for (const compute of others) {
        tf.grads(compute)(inputs, dy).forEach((actual, i) =>
          expectClose(actual, expected[i], {name: `gradient of input ${i}`}),
        );
      }
    });
  });
});

describeEachBackend('withFastMatMul', () => {
  test('gives the product of tfjs its place back', async () => {
    const kernel = () => tf.getKernel(tf.BatchMatMul, tf.getBackend());
    const before = kernel();
    const x = tf.tensor2d([1, 2, 3, 4], [2, 2]);
    const weights = {w1: x, w2: x};
    const y = (await withFastMatMul(() => feedForward(x, weights))()) as tf.Tensor;
    expectClose(y, feedForward(x, weights));
    expect(kernel()).toBe(before);
  });
});
