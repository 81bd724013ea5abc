import * as tf from '@tensorflow/tfjs';
import type {StartedBackend} from './backend';
import type {Benchmark, Effort, Result} from './harness';
import {describeMachine, type Machine} from './machine';
import {runComparison} from './run_comparison';

/** Where benchmarks run. */
export interface Runner {
  machine: Machine;
  /** Measures one comparison of a benchmark, by its number. */
  run: (benchmark: Benchmark, comparison: number) => Promise<Result>;
  /** Ends what would keep the process alive. */
  dispose?: () => void | Promise<void>;
}

/** Runs them in this process, on a backend that has started. */
export function runHere({gpu, synchronize, dispose}: StartedBackend, effort: Effort): Runner {
  return {
    machine: describeMachine({gpu, backend: tf.getBackend()}),
    run: ({comparisons}, i) => runComparison(comparisons[i], effort, synchronize),
    dispose,
  };
}
