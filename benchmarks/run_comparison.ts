import * as tf from '@tensorflow/tfjs';
import {type Benchmark, type Effort, measure, type Result, type Synchronize} from './harness';

/** Measures a comparison, and frees what it has made. */
export async function runComparison(
  makeComparison: Benchmark['comparisons'][number],
  effort: Effort,
  synchronize?: Synchronize,
): Promise<Result> {
  tf.engine().startScope();
  try {
    return await measure(makeComparison(), effort, synchronize);
  } finally {
    tf.engine().endScope();
    tf.disposeVariables();
  }
}
