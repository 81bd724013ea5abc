import {startBackend, type StartedBackend} from '../backend';
import type {Benchmark, Effort, Result} from '../harness';
import {runComparison} from '../run_comparison';
import type {Precision} from '../../src/kernel_names';

// What the page does for `npm run bench -- --browser`: it measures what it is told to, one comparison a call.

declare global {
  /** Starts a backend; returns what computes. */
  var startInPage: (backend: string, precision: Precision) => Promise<string | undefined>;
  var runInPage: (benchmark: string, comparison: number, effort: Effort) => Promise<Result>;
}

/** Lets the page be told to run the benchmarks. */
export function preparePage(benchmarks: readonly Benchmark[]) {
  let started: StartedBackend = {};
  globalThis.startInPage = async (backend, precision) => {
    started = await startBackend(backend, precision);
    return started.gpu;
  };
  globalThis.runInPage = (benchmark, comparison, effort) => {
    const {comparisons} = benchmarks.find(({name}) => name === benchmark)!;
    return runComparison(comparisons[comparison], effort, started.synchronize);
  };
}
