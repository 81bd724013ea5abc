import * as tf from '@tensorflow/tfjs';

// What this library's ops do, written with TensorFlow.js alone, by the fastest of its ops that works
// on every backend.

/** tf.customGrad with one saved tensor, which the end of the forward pass would free. */
function withGradient<T extends tf.Tensor>(
  x: tf.Tensor,
  forward: () => {value: T; saved: tf.Tensor},
  backward: (dy: tf.Tensor, saved: tf.Tensor) => tf.Tensor,
): T {
  const f = tf.customGrad<T>((_, save) => {
    const {value, saved} = forward();
    (save as tf.GradSaveFunc)([saved]);
    return {value, gradFunc: (dy, [tensor]) => backward(dy, tensor)};
  });
  return f(x);
}

/** `rows` of `x`, by tf.gatherND: tf.gather is many times slower on wasm, and has no gradient there. */
export function gatherRows(x: tf.Tensor2D, rows: tf.Tensor1D): tf.Tensor2D {
  const saved = tf.expandDims(rows, 1);
  return withGradient(
    x,
    () => ({value: tf.gatherND(x, saved) as tf.Tensor2D, saved}),
    (dy, positions) => tf.scatterND(positions, dy, x.shape),
  );
}

/** The same by tf.gather. */
export function plainGatherRows(x: tf.Tensor2D, rows: tf.Tensor1D): tf.Tensor2D {
  return withGradient(
    x,
    () => ({value: tf.gather(x, rows), saved: rows}),
    (dy, indices) => tf.scatterND(tf.expandDims(indices, 1), dy, x.shape),
  );
}

/** The sums of the rows of `x` that go to each of `numRows`. */
export function scatterRows(x: tf.Tensor2D, rows: tf.Tensor1D, numRows: number): tf.Tensor2D {
  const saved = tf.expandDims(rows, 1);
  const shape: [number, number] = [numRows, x.shape[1]];
  return withGradient(
    x,
    () => ({value: tf.scatterND(saved, x, shape) as tf.Tensor2D, saved}),
    (dy, positions) => tf.gatherND(dy, positions),
  );
}

/** [max], float32. */
export function histogram(x: tf.Tensor1D, max: number): tf.Tensor1D {
  return tf.bincount(x, tf.tensor1d([]), max);
}

export function oneHotHistogram(x: tf.Tensor1D, max: number): tf.Tensor1D {
  return tf.sum(tf.oneHot(x, max), 0);
}

export function paddedBins(tokensPerExpert: tf.Tensor1D, blockSize: number): tf.Tensor1D {
  const size = tf.scalar(blockSize, 'int32');
  const last = tf.scalar(blockSize - 1, 'int32');
  return tf.cumsum(tf.mul(tf.floorDiv(tf.add(tokensPerExpert, last), size), size));
}

/** The values of tf.topk, which has no gradient. */
export function topKValues(x: tf.Tensor2D, k: number): tf.Tensor2D {
  return withGradient(
    x,
    () => {
      const {values, indices} = tf.topk(x, k);
      return {value: values, saved: indices};
    },
    (dy, indices) => {
      const oneHot = tf.cast(tf.oneHot(indices, x.shape[1]), 'float32');
      return tf.sum(tf.mul(oneHot, tf.expandDims(dy, 2)), 1);
    },
  );
}

/** The bin that each of `numRows` is in; the number of bins beyond the last. */
function binOfRow(bins: tf.Tensor1D, numRows: number): tf.Tensor1D {
  const rows = tf.expandDims(tf.range(0, numRows, 1, 'int32'), 1);
  return tf.sum(tf.cast(tf.greaterEqual(rows, bins), 'int32'), 1);
}

/** Of bins that fill all rows. */
export function replicate(x: tf.Tensor1D, bins: tf.Tensor1D, numRows: number): tf.Tensor1D {
  return replicateByBinIds(x, binOfRow(bins, numRows));
}

/** The sum of the values of each bin. */
function sumByBins(x: tf.Tensor1D, binIds: tf.Tensor1D, numBins: number): tf.Tensor1D {
  // On a GPU, TensorFlow's bincount takes no weights; other backends are slower at the sum, or have none.
  return tf.getBackend() === 'tensorflow'
    ? tf.unsortedSegmentSum(x, binIds, numBins)
    : tf.bincount(binIds, x, numBins);
}

export function replicateByBinIds(x: tf.Tensor1D, binIds: tf.Tensor1D): tf.Tensor1D {
  return withGradient(
    x,
    () => ({value: tf.gather(x, binIds), saved: binIds}),
    (dy, ids) => sumByBins(dy as tf.Tensor1D, ids as tf.Tensor1D, x.size),
  );
}

export function topology(
  bins: tf.Tensor1D,
  blockSize: number,
  blockRows: number,
  blocksPerRow: number,
): tf.Tensor1D {
  const blockBins = tf.floorDiv<tf.Tensor1D>(bins, tf.scalar(blockSize, 'int32'));
  const experts = tf.expandDims(binOfRow(blockBins, blockRows), 1);
  const columns = tf.add(
    tf.mul(experts, tf.scalar(blocksPerRow, 'int32')),
    tf.range(0, blocksPerRow, 1, 'int32'),
  );
  const isUsed = tf.less(experts, tf.scalar(bins.size, 'int32'));
  const used = tf.where(tf.tile(isUsed, [1, blocksPerRow]), columns, tf.onesLike(columns).neg());
  return tf.reshape(used, [-1]);
}

/** How rows in expert order are found: what `sort` and the bins say. */
export interface Routing {
  /** The copies (token * topK + j) in expert order, [N]. */
  indices: tf.Tensor1D;
  /** The expert of each, [N]. */
  binIds: tf.Tensor1D;
  /** Where each expert's copies end, [E]. */
  bins: tf.Tensor1D;
  topK: number;
}

function tokens({indices, topK}: Routing): tf.Tensor1D {
  return topK === 1 ? indices : tf.floorDiv(indices, tf.scalar(topK, 'int32'));
}

function starts(bins: tf.Tensor1D): tf.Tensor1D {
  return tf.pad(tf.slice(bins, 0, bins.size - 1), [[1, 0]]);
}

function range(size: number): tf.Tensor1D {
  return tf.range(0, size, 1, 'int32') as tf.Tensor1D;
}

/** Each row times the weight of its copy. */
function weighted(x: tf.Tensor2D, weights: tf.Tensor1D, {indices}: Routing): tf.Tensor2D {
  return tf.mul(x, gatherRows(tf.reshape(weights, [-1, 1]), indices));
}

export function gather(x: tf.Tensor2D, routing: Routing): tf.Tensor2D {
  return gatherRows(x, tokens(routing));
}

export function scatter(x: tf.Tensor2D, weights: tf.Tensor1D, routing: Routing): tf.Tensor2D {
  const numTokens = weights.size / routing.topK;
  return scatterRows(weighted(x, weights, routing), tokens(routing), numTokens);
}

/** The row of each copy where experts are padded. */
function paddedPositions({binIds, bins}: Routing, padded: tf.Tensor1D): tf.Tensor1D {
  const offsets = tf.sub<tf.Tensor1D>(starts(padded), starts(bins));
  return tf.add(range(binIds.size), tf.gather(offsets, binIds));
}

export function paddedGather(
  x: tf.Tensor2D,
  routing: Routing,
  padded: tf.Tensor1D,
  numRows: number,
): tf.Tensor2D {
  return scatterRows(gather(x, routing), paddedPositions(routing, padded), numRows);
}

export function paddedScatter(
  x: tf.Tensor2D,
  weights: tf.Tensor1D,
  routing: Routing,
  padded: tf.Tensor1D,
): tf.Tensor2D {
  return scatter(gatherRows(x, paddedPositions(routing, padded)), weights, routing);
}

/** The row of each copy among all bins, and 1 for those that have one; others share their bin's last. */
function binnedPositions({binIds, bins}: Routing, binSize: number) {
  const size = tf.scalar(binSize, 'int32');
  const rows = tf.sub<tf.Tensor1D>(range(binIds.size), tf.gather(starts(bins), binIds));
  const last = tf.scalar(binSize - 1, 'int32');
  return {
    positions: tf.add<tf.Tensor1D>(tf.mul(binIds, size), tf.minimum(rows, last)),
    isKept: tf.cast(tf.expandDims(tf.less(rows, size), 1), 'float32'),
  };
}

export function binnedGather(x: tf.Tensor2D, routing: Routing, binSize: number): tf.Tensor3D {
  const numExperts = routing.bins.size;
  const {positions, isKept} = binnedPositions(routing, binSize);
  const kept = tf.mul<tf.Tensor2D>(gather(x, routing), isKept);
  const rows = scatterRows(kept, positions, numExperts * binSize);
  return tf.reshape(rows, [numExperts, binSize, x.shape[1]]);
}

export function binnedScatter(x: tf.Tensor3D, weights: tf.Tensor1D, routing: Routing): tf.Tensor2D {
  const [numExperts, binSize, hiddenSize] = x.shape;
  const {positions, isKept} = binnedPositions(routing, binSize);
  const all = tf.reshape<tf.Rank.R2>(x, [numExperts * binSize, hiddenSize]);
  return scatter(tf.mul(gatherRows(all, positions), isKept), weights, routing);
}

export function layerNorm(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor): tf.Tensor {
  const {mean, variance} = tf.moments(x, -1, true);
  const normal = tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 1e-5)));
  return tf.add(tf.mul(normal, gamma), beta);
}

/** `mask` is 0 where a position may see another, and very negative elsewhere, [length, length]. */
export function causalAttention(qkv: tf.Tensor3D, numHeads: number, mask: tf.Tensor2D): tf.Tensor {
  const [batch, length, width] = qkv.shape;
  const headSize = width / 3 / numHeads;
  const [q, k, v] = tf
    .split(qkv, 3, -1)
    .map((x) => tf.transpose(tf.reshape(x, [batch, length, numHeads, headSize]), [0, 2, 1, 3]));
  const scores = tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(headSize));
  const y = tf.matMul(tf.softmax(tf.add(scores, mask)), v);
  return tf.reshape(tf.transpose(y, [0, 2, 1, 3]), [batch, length, width / 3]);
}

export function causalMask(length: number): tf.Tensor2D {
  return tf.mul(-1e9, tf.sub(1, tf.linalg.bandPart(tf.ones([length, length]), -1, 0)));
}

/** The tanh form of GELU. */
export function geluNew<T extends tf.Tensor>(x: T): T {
  const inner = tf.mul(Math.sqrt(2 / Math.PI), tf.add(x, tf.mul(0.044715, tf.pow(x, 3))));
  return tf.mul(tf.mul(0.5, x), tf.add(1, tf.tanh(inner)));
}

export function oneHotEmbedding(table: tf.Tensor2D, indices: tf.Tensor1D): tf.Tensor2D {
  const oneHot = tf.cast(tf.oneHot(indices, table.shape[0]) as tf.Tensor2D, 'float32');
  return tf.matMul(oneHot, table);
}

/** The losses of each row. */
export function softmaxCrossEntropy(labels: tf.Tensor1D, logits: tf.Tensor2D): tf.Tensor1D {
  const {NONE} = tf.Reduction;
  const oneHot = tf.oneHot(labels, logits.shape[1]) as tf.Tensor2D;
  return tf.losses.softmaxCrossEntropy(oneHot, logits, undefined, undefined, NONE);
}
