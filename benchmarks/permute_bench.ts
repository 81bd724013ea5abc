import * as tf from '@tensorflow/tfjs';
import {
  binnedGather,
  binnedScatter,
  gather,
  histogram,
  paddedBins,
  paddedGather,
  paddedRowCount,
  paddedScatter,
  scatter,
  sort,
} from '../src/index';
import {forward, forwardAndBackward, type Work} from './differentiable';
import type {Benchmark, Comparison, Run} from './harness';
import {randomRouting} from './routing';
import * as tfjs from './tfjs_ops';

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
    highlights: ['sort'],
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
    highlights: ['gather'],
    contenders: {
      'memory copy': memoryCopy(bytes),
      gather: () => gather(x, indices, binIds, bins, 1),
      'tf.gatherND': () => tfjs.gatherRows(x, indices),
      'tf.gather': () => tfjs.plainGatherRows(x, indices),
    },
  };
}

function scatterComparison(): Comparison {
  const {indices, binIds, bins} = randomRouting(TOKENS, NUM_EXPERTS);
  const x = tf.randomNormal<tf.Rank.R2>([TOKENS, HIDDEN_SIZE], 0, 1, 'float32', 1);
  const weights = tf.randomUniform<tf.Rank.R1>([TOKENS], 0, 1, 'float32', 2);
  const bytes = 2 * x.size * BYTES;
  return {
    title: 'scatter',
    shapes,
    bytes,
    highlights: ['scatter, weighted'],
    contenders: {
      'memory copy': memoryCopy(bytes),
      scatter: () => scatter(x, indices, binIds, null, bins, 1),
      'scatter, weighted': () => scatter(x, indices, binIds, weights, bins, 1),
      'tf.scatterND': () => tfjs.scatterRows(x, indices, TOKENS),
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
    highlights: ['sort, gather and scatter'],
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

/** Sizes of a permutation with its gradient. */
export interface Sizes {
  /** Tokens. */
  T: number;
  /** Top-k. */
  K: number;
  H: number;
  E: number;
  /** The rows of a block. */
  B: number;
}

const SIZES: Sizes = {T: 16384, K: 2, H: HIDDEN_SIZE, E: NUM_EXPERTS, B: 128};

/** What all of them start from: tokens, their routing, and a weight for each copy. */
function routed({T, K, E, H, B}: Sizes) {
  const N = T * K;
  const {experts, indices, binIds, bins} = randomRouting(N, E);
  return {
    x: tf.randomNormal<tf.Rank.R2>([T, H], 0, 1, 'float32', 1),
    weights: tf.randomUniform<tf.Rank.R1>([N], 0, 1, 'float32', 2),
    routing: {indices, binIds, bins, topK: K},
    padded: paddedBins(histogram(experts, E), B),
    numRows: paddedRowCount(N, E, B),
    /** Capacity factor 1: some copies are dropped. */
    binSize: Math.trunc(N / E),
  };
}

function gatherWork(sizes: Sizes): Work {
  const {x, routing} = routed(sizes);
  const {indices, binIds, bins, topK} = routing;
  return {
    title: 'gather',
    shapes: {...sizes},
    inputs: [x],
    contenders: {
      'tf.gatherND': (x) => tfjs.gather(x as tf.Tensor2D, routing),
      gather: (x) => gather(x as tf.Tensor2D, indices, binIds, bins, topK),
    },
  };
}

function scatterWork(sizes: Sizes): Work {
  const {x, weights, routing} = routed(sizes);
  const {indices, binIds, bins, topK} = routing;
  return {
    title: 'scatter, weighted',
    shapes: {...sizes},
    inputs: [gather(x, indices, binIds, bins, topK), weights],
    contenders: {
      'tf.mul, tf.scatterND': (x, w) => tfjs.scatter(x as tf.Tensor2D, w as tf.Tensor1D, routing),
      scatter: (x, w) => scatter(x as tf.Tensor2D, indices, binIds, w as tf.Tensor1D, bins, topK),
    },
  };
}

function paddedGatherWork(sizes: Sizes): Work {
  const {x, routing, padded, numRows} = routed(sizes);
  const {indices, binIds, bins, topK} = routing;
  return {
    title: 'paddedGather',
    shapes: {...sizes},
    inputs: [x],
    contenders: {
      'tf.gatherND, tf.scatterND': (x) =>
        tfjs.paddedGather(x as tf.Tensor2D, routing, padded, numRows),
      paddedGather: (x) =>
        paddedGather(x as tf.Tensor2D, indices, binIds, bins, padded, topK, sizes.B),
    },
  };
}

function paddedScatterWork(sizes: Sizes): Work {
  const {x, weights, routing, padded} = routed(sizes);
  const {indices, binIds, bins, topK} = routing;
  return {
    title: 'paddedScatter, weighted',
    shapes: {...sizes},
    inputs: [paddedGather(x, indices, binIds, bins, padded, topK, sizes.B), weights],
    contenders: {
      'tf.gatherND, tf.mul, tf.scatterND': (x, w) =>
        tfjs.paddedScatter(x as tf.Tensor2D, w as tf.Tensor1D, routing, padded),
      paddedScatter: (x, w) =>
        paddedScatter(x as tf.Tensor2D, indices, binIds, w as tf.Tensor1D, bins, padded, topK),
    },
  };
}

function binnedGatherWork(sizes: Sizes): Work {
  const {x, routing, binSize} = routed(sizes);
  const {indices, bins, topK} = routing;
  return {
    title: 'binnedGather',
    shapes: {...sizes, binSize},
    inputs: [x],
    contenders: {
      'tf.gatherND, tf.scatterND': (x) => tfjs.binnedGather(x as tf.Tensor2D, routing, binSize),
      binnedGather: (x) => binnedGather(x as tf.Tensor2D, indices, bins, binSize, topK),
    },
  };
}

function binnedScatterWork(sizes: Sizes): Work {
  const {x, weights, routing, binSize} = routed(sizes);
  const {indices, bins, topK} = routing;
  return {
    title: 'binnedScatter, weighted',
    shapes: {...sizes, binSize},
    inputs: [binnedGather(x, indices, bins, binSize, topK), weights],
    contenders: {
      'tf.gatherND, tf.mul, tf.scatterND': (x, w) =>
        tfjs.binnedScatter(x as tf.Tensor3D, w as tf.Tensor1D, routing),
      binnedScatter: (x, w) =>
        binnedScatter(x as tf.Tensor3D, indices, w as tf.Tensor1D, bins, topK),
    },
  };
}

/** Every differentiable work by its sizes. */
export const works: ((sizes: Sizes) => Work)[] = [
  gatherWork,
  scatterWork,
  paddedGatherWork,
  paddedScatterWork,
  binnedGatherWork,
  binnedScatterWork,
];

export const benchmark: Benchmark = {
  name: 'permute',
  description:
    "sort, gathers and scatters beside the machine's own memory copy and the ops of tfjs",
  comparisons: [
    sortComparison,
    gatherComparison,
    scatterComparison,
    permutationComparison,
    ...works.flatMap((work) => [() => forward(work(SIZES)), () => forwardAndBackward(work(SIZES))]),
  ],
};
