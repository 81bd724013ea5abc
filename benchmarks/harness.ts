import * as tf from '@tensorflow/tfjs';

// How everything is measured: contenders take turns, so that a machine that slows down slows all of
// them, and each is compared with the baseline of its own round.

/** One way to do the work, which may return a promise; the tensors it makes are freed. */
export type Run = () => unknown;

/** Waits until the device has done what it was given. */
export type Synchronize = () => Promise<void>;

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
  /** The contenders that the table of the README shows beside the baseline. */
  highlights?: string[];
}

/** One file of benchmarks. */
export interface Benchmark {
  name: string;
  description: string;
  /** Whether it is of what a browser has not. */
  needsNode?: boolean;
  /** Makes the data of each comparison when it is reached; tensors and variables are freed after it. */
  comparisons: (() => Comparison)[];
}

export interface Measurement {
  name: string;
  /** How often it ran, warm-up aside. The median and the minimum are of its turns. */
  runs: number;
  medianMs: number;
  minMs: number;
  gflops?: number;
  gbps?: number;
  /** The median over the rounds of its time over the baseline's. */
  timeToBaseline: number;
}

export interface Result extends Pick<Comparison, 'title' | 'shapes' | 'highlights'> {
  measurements: Measurement[];
  /** Whether the first is what the others are compared with. Default true. */
  hasBaseline?: boolean;
}

export interface Effort {
  /** How long each contender runs, warm-up aside. */
  seconds: number;
  /** How many turns it has at least, unless they take `PATIENCE` times as long. */
  minRuns: number;
  warmUpRuns: number;
}

const PATIENCE = 10;

/** Work that is shorter is repeated within a turn, so that the clock and the garbage collector do not
 * decide, and turns stay few enough to keep. */
const SHORTEST_TURN_MS = 1;

/** A contender, and how often it runs in each of its turns. */
interface Contender {
  run: Run;
  repetitions: number;
  /** The milliseconds of a run, turn by turn. */
  times: number[];
}

/**
 * Measures all contenders of a comparison in turns.
 *
 * @param synchronize Ends every turn, on backends that compute after a run has returned.
 */
export async function measure(
  comparison: Comparison,
  effort: Effort,
  synchronize?: Synchronize,
): Promise<Result> {
  const {title, shapes, highlights} = comparison;
  const contenders: Record<string, Contender> = {};
  for (const [name, run] of Object.entries(comparison.contenders)) {
    const repetitions = await warmUp(run, effort.warmUpRuns, synchronize);
    contenders[name] = {run, repetitions, times: []};
  }
  await takeTurns(Object.values(contenders), effort, synchronize);
  const [baseline] = Object.values(contenders);
  return {
    title,
    shapes,
    highlights,
    measurements: Object.entries(contenders).map(([name, contender]) =>
      summarize(name, contender, baseline, comparison),
    ),
  };
}

/** Returns how often the work must run for a turn that is long enough. */
async function warmUp(run: Run, runs: number, synchronize?: Synchronize): Promise<number> {
  let ms = 0;
  for (let i = 0; i < runs; i++) {
    ms = await time(run, 1, synchronize);
  }
  let repetitions = 1;
  while (ms < SHORTEST_TURN_MS) {
    repetitions *= 2;
    ms = await time(run, repetitions, synchronize);
  }
  return repetitions;
}

/**
 * Round by round. A contender that has used up its time sits out, the baseline runs in every round,
 * and the order rotates, so that none always follows the same one.
 */
async function takeTurns(
  contenders: Contender[],
  {seconds, minRuns}: Effort,
  synchronize?: Synchronize,
) {
  const spent = new Map(contenders.map((contender) => [contender, 0]));
  const isDone = (contender: Contender) =>
    spent.get(contender)! >= 1e3 * seconds * (contender.times.length < minRuns ? PATIENCE : 1);
  for (let round = 0; ; round++) {
    const eager = contenders.filter((contender) => !isDone(contender));
    if (eager.length === 0) {
      return;
    }
    const players = contenders.filter((contender, i) => i === 0 || eager.includes(contender));
    const first = round % players.length;
    for (const player of [...players.slice(first), ...players.slice(0, first)]) {
      const ms = await time(player.run, player.repetitions, synchronize);
      player.times.push(ms / player.repetitions);
      spent.set(player, spent.get(player)! + ms);
    }
  }
}

/** The milliseconds of a turn. */
async function time(run: Run, repetitions: number, synchronize?: Synchronize): Promise<number> {
  const begin = performance.now();
  for (let i = 0; i < repetitions; i++) {
    // Not tf.tidy, which ends before a promise does.
    tf.engine().startScope();
    try {
      const result = run();
      if (result instanceof Promise) {
        await result;
      }
    } finally {
      tf.engine().endScope();
    }
  }
  await synchronize?.();
  return performance.now() - begin;
}

function summarize(
  name: string,
  {times, repetitions}: Contender,
  baseline: Contender,
  {flops, bytes}: Comparison,
): Measurement {
  const medianMs = median(times);
  return {
    name,
    runs: times.length * repetitions,
    medianMs,
    minMs: times.reduce((a, b) => Math.min(a, b)),
    gflops: flops == null ? undefined : flops / medianMs / 1e6,
    gbps: bytes == null ? undefined : bytes / medianMs / 1e6,
    timeToBaseline: median(times.map((ms, round) => ms / baseline.times[round])),
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
