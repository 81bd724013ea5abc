import * as tf from '@tensorflow/tfjs';
import {gather, scatter, sort} from '../src/index';
import type {Benchmark, Comparison, Run} from './harness';
import {randomRouting} from './routing';

const TOKENS = 65536;
const HIDDEN_SIZE = 256;
const NUM_EXPERTS = 64;

const shapes = {T: TOKENS, H: HIDDEN_SIZE, E: NUM_EXPERTS};
const BYTES = 4;

/** A copy that reads half of the bytes and writes the other half, as the machine does it best. */
function memoryCopy(bytes: number): Run {
  const source = new Float32Array(bytes / 2 / BYTES).fill(1);
  const target = new Float32Array(source.length);
  return () => target.set(source);
}

function sortComparison(): Comparison {
  const {experts, endBit} = randomRouting(TOKENS, NUM_EXPERTS);
  // Reads the keys, writes them and the permutation.
  const bytes = 3 * TOKENS * BYTES;
  return {
    title: 'sort',
    shapes,
    bytes,
    contenders: {
      'memory copy': memoryCopy(bytes),
      sort: () => sort(experts, endBit),
      'tf.topk, of all keys': () => tf.topk(experts, TOKENS),
    },
  };
}

function gatherComparison(): Comparison {
  const {indices, binIds, bins} = randomRouting(TOKENS, NUM_EXPERTS);
  const x = tf.randomNormal<tf.Rank.R2>([TOKENS, HIDDEN_SIZE], 0, 1, 'float32', 1);
  const bytes = 2 * x.size * BYTES;
  return {
    title: 'gather',
    shapes,
    bytes,
    contenders: {
      'memory copy': memoryCopy(bytes),
      gather: () => gather(x, indices, binIds, bins, 1),
      'tf.gather': () => tf.gather(x, indices),
    },
  };
}

function scatterComparison(): Comparison {
  const {indices, binIds, bins} = randomRouting(TOKENS, NUM_EXPERTS);
  const x = tf.randomNormal<tf.Rank.R2>([TOKENS, HIDDEN_SIZE], 0, 1, 'float32', 1);
  const weights = tf.randomUniform<tf.Rank.R1>([TOKENS], 0, 1, 'float32', 2);
  const positions = tf.expandDims<tf.Tensor2D>(indices, 1);
  const bytes = 2 * x.size * BYTES;
  return {
    title: 'scatter',
    shapes,
    bytes,
    contenders: {
      'memory copy': memoryCopy(bytes),
      scatter: () => scatter(x, indices, binIds, null, bins, 1),
      'scatter, weighted': () => scatter(x, indices, binIds, weights, bins, 1),
      'tf.scatterND': () => tf.scatterND(positions, x, [TOKENS, HIDDEN_SIZE]),
    },
  };
}

/** All of what routing adds to a dense layer. */
function permutationComparison(): Comparison {
  const {experts, endBit, bins} = randomRouting(TOKENS, NUM_EXPERTS);
  const x = tf.randomNormal<tf.Rank.R2>([TOKENS, HIDDEN_SIZE], 0, 1, 'float32', 1);
  const bytes = (4 * x.size + 3 * TOKENS) * BYTES;
  return {
    title: 'sort, gather and scatter',
    shapes,
    bytes,
    contenders: {
      'memory copy': memoryCopy(bytes),
      'sort, gather and scatter': () => {
        const [binIds, indices] = sort(experts, endBit);
        const routed = gather(x, indices, binIds, bins, 1);
        return scatter(routed, indices, binIds, null, bins, 1);
      },
    },
  };
}

export const benchmark: Benchmark = {
  name: 'permute',
  description: "sort, gather and scatter beside the machine's own memory copy of the same bytes",
  comparisons: [sortComparison, gatherComparison, scatterComparison, permutationComparison],
};
