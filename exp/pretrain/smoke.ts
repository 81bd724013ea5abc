import {join} from 'node:path';
import type {Options} from './options';

/** Of every head. */
const HEAD_SIZE = 2;

/** What of a run is tried: everything at its size is too much for a machine without GPUs. */
const SMALL = {
  seqLength: 16,
  maxPositionEmbeddings: 16,
  microBatchSize: 1,
  globalBatchSize: 1,
  trainIters: 2,
  lrDecayIters: 2,
  evalInterval: 2,
  evalIters: 1,
  saveInterval: 2,
  logInterval: 1,
} satisfies Partial<Options>;

/**
 * The same run, of the same layers, heads and experts, but narrow, and of two short steps. It goes to a
 * folder of its own, in that of the run.
 */
export function smokeOptions(options: Options): Options {
  const hiddenSize = HEAD_SIZE * options.numAttentionHeads;
  const save = join(options.save, 'smoke');
  const lrWarmupIters = Math.min(options.lrWarmupIters, SMALL.lrDecayIters);
  return {...options, ...SMALL, lrWarmupIters, save, hiddenSize, ffnHiddenSize: hiddenSize};
}
