import * as tf from '@tensorflow/tfjs';
import {
  exclusiveCumsum,
  histogram,
  inclusiveCumsum,
  paddedBins,
  paddedRowCount,
  replicate,
  topK,
  topology,
} from '../src/index';
import {forward, forwardAndBackward, type Work} from './differentiable';
import type {Benchmark} from './harness';
import {randomRouting} from './routing';
import * as tfjs from './tfjs_ops';

/** Tokens, top-k, experts, and the rows of a block and blocks of an expert's features. */
export interface Sizes {
  T: number;
  K: number;
  E: number;
  B: number;
  F: number;
}

const SIZES: Sizes = {T: 16384, K: 2, E: 64, B: 128, F: 1024};

function topKWork({T, K, E}: Sizes): Work {
  const scores = tf.softmax(tf.randomNormal([T, E], 0, 1, 'float32', 1));
  return {
    title: 'topK',
    shapes: {T, E, K},
    inputs: [scores],
    contenders: {
      'tf.topk, gradient by a one-hot': (x) => tfjs.topKValues(x as tf.Tensor2D, K),
      topK: (x) => topK(x as tf.Tensor2D, K).values,
    },
  };
}

function histogramWork({T, K, E}: Sizes): Work {
  const N = T * K;
  const {experts} = randomRouting(N, E);
  return {
    title: 'histogram',
    shapes: {N, E},
    inputs: [],
    contenders: {
      'tf.bincount': () => tfjs.histogram(experts, E),
      histogram: () => histogram(experts, E),
      'sum of tf.oneHot': () => tfjs.oneHotHistogram(experts, E),
    },
  };
}

function shortCumsumWork({E}: Sizes): Work {
  return cumsum(E);
}

function longCumsumWork({T, K}: Sizes): Work {
  return cumsum(T * K);
}

function cumsum(N: number): Work {
  const counts = tf.cast(tf.randomUniform<tf.Rank.R1>([N], 0, 9, 'float32', 1), 'int32');
  return {
    title: 'inclusiveCumsum',
    shapes: {N},
    inputs: [],
    contenders: {
      'tf.cumsum': () => tf.cumsum(counts),
      inclusiveCumsum: () => inclusiveCumsum(counts),
    },
  };
}

function exclusiveCumsumWork({E: N}: Sizes): Work {
  const counts = tf.cast(tf.randomUniform<tf.Rank.R1>([N], 0, 9, 'float32', 1), 'int32');
  return {
    title: 'exclusiveCumsum',
    shapes: {N},
    inputs: [],
    contenders: {
      'tf.cumsum, exclusive': () => tf.cumsum(counts, 0, true),
      exclusiveCumsum: () => exclusiveCumsum(counts),
    },
  };
}

function paddedBinsWork({T, K, E, B}: Sizes): Work {
  const counts = histogram(randomRouting(T * K, E).experts, E);
  return {
    title: 'paddedBins',
    shapes: {E, B},
    inputs: [],
    contenders: {
      'tf.floorDiv, tf.cumsum': () => tfjs.paddedBins(counts, B),
      paddedBins: () => paddedBins(counts, B),
    },
  };
}

function replicateWork({T, K, E}: Sizes): Work {
  const N = T * K;
  const {bins, binIds} = randomRouting(N, E);
  return {
    title: 'replicate',
    shapes: {N, E},
    inputs: [tf.randomNormal([E], 0, 1, 'float32', 2)],
    contenders: {
      'tf.gather by bin ids, gradient by sums of bins': (x) =>
        tfjs.replicateByBinIds(x as tf.Tensor1D, binIds),
      replicate: (x) => replicate(x as tf.Tensor1D, bins, N),
      'the same, bin ids by tf.greaterEqual': (x) => tfjs.replicate(x as tf.Tensor1D, bins, N),
    },
  };
}

function topologyWork({T, K, E, B, F}: Sizes): Work {
  const N = T * K;
  const padded = paddedBins(histogram(randomRouting(N, E).experts, E), B);
  const blockRows = paddedRowCount(N, E, B) / B;
  return {
    title: 'topology',
    shapes: {N, E, B, F},
    inputs: [],
    contenders: {
      'tf.greaterEqual, tf.where': () => tfjs.topology(padded, B, blockRows, F / B),
      topology: () => topology(padded, B, blockRows, F / B),
    },
  };
}

/** Every work by its sizes; those with inputs are differentiable. */
export const works: ((sizes: Sizes) => Work)[] = [
  topKWork,
  histogramWork,
  shortCumsumWork,
  longCumsumWork,
  exclusiveCumsumWork,
  paddedBinsWork,
  replicateWork,
  topologyWork,
];

export const benchmark: Benchmark = {
  name: 'routing',
  description: 'what leads from scores to the rows of each expert, beside the ops of tfjs',
  comparisons: [
    ...works.map((work) => () => forward(work(SIZES))),
    ...[topKWork, replicateWork].map((work) => () => forwardAndBackward(work(SIZES))),
  ],
};
