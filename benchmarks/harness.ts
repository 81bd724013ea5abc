import * as tf from '@tensorflow/tfjs';

// How everything is measured: contenders take turns, so that a machine that slows down slows all of
// them, and each is compared with the baseline of its own round.

/** One way to do the work. It runs to its end before it returns; the tensors it makes are freed. */
export type Run = () => unknown;

/** Several ways to do the same work, beside a baseline. */
export interface Comparison {
  title: string;
  shapes: Record<string, number>;
  /** Floating-point operations of the work; a multiply-add counts as two. */
  flops?: number;
  /** Bytes read and written by the work. */
  bytes?: number;
  /** The contenders by name; the first is the baseline. */
  contenders: Record<string, Run>;
}

/** One file of benchmarks. */
export interface Benchmark {
  name: string;
  description: string;
  /** Makes the data of each comparison when it is reached; tensors and variables are freed after it. */
  comparisons: (() => Comparison)[];
}

export interface Measurement {
  name: string;
  runs: number;
  medianMs: number;
  minMs: number;
  gflops?: number;
  gbps?: number;
  /** The median over the rounds of its time over the baseline's. */
  timeToBaseline: number;
}

export interface Result extends Pick<Comparison, 'title' | 'shapes'> {
  measurements: Measurement[];
}

export interface Effort {
  /** How long each contender runs, warm-up aside. */
  seconds: number;
  /** How often at least, unless that takes `PATIENCE` times as long. */
  minRuns: number;
  warmUpRuns: number;
}

const PATIENCE = 10;

/** Measures all contenders of a comparison in turns. */
export function measure(comparison: Comparison, effort: Effort): Result {
  const {title, shapes, contenders} = comparison;
  const names = Object.keys(contenders);
  for (const name of names) {
    for (let i = 0; i < effort.warmUpRuns; i++) {
      time(contenders[name]);
    }
  }
  const times = takeTurns(contenders, effort);
  const baseline = times[names[0]];
  return {
    title,
    shapes,
    measurements: names.map((name) => summarize(name, times[name], baseline, comparison)),
  };
}

/**
 * The milliseconds of every run, round by round. A contender that has used up its time sits out, the
 * baseline runs in every round, and the order rotates, so that none always follows the same one.
 */
function takeTurns(contenders: Record<string, Run>, {seconds, minRuns}: Effort) {
  const names = Object.keys(contenders);
  const times: Record<string, number[]> = Object.fromEntries(names.map((name) => [name, []]));
  const spent: Record<string, number> = Object.fromEntries(names.map((name) => [name, 0]));
  const isDone = (name: string) =>
    spent[name] >= 1e3 * seconds * (times[name].length < minRuns ? PATIENCE : 1);
  for (let round = 0; ; round++) {
    const eager = names.filter((name) => !isDone(name));
    if (eager.length === 0) {
      return times;
    }
    const players = names.filter((name, i) => i === 0 || eager.includes(name));
    const first = round % players.length;
    for (const name of [...players.slice(first), ...players.slice(0, first)]) {
      const ms = time(contenders[name]);
      times[name].push(ms);
      spent[name] += ms;
    }
  }
}

function time(run: Run): number {
  const begin = performance.now();
  tf.tidy(() => void run());
  return performance.now() - begin;
}

function summarize(
  name: string,
  times: number[],
  baseline: number[],
  {flops, bytes}: Comparison,
): Measurement {
  const medianMs = median(times);
  return {
    name,
    runs: times.length,
    medianMs,
    minMs: Math.min(...times),
    gflops: flops == null ? undefined : flops / medianMs / 1e6,
    gbps: bytes == null ? undefined : bytes / medianMs / 1e6,
    timeToBaseline: median(times.map((ms, round) => ms / baseline[round])),
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
