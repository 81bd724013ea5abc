import * as tf from '@tensorflow/tfjs';
import {
  binnedGather,
  binnedScatter,
  gather,
  histogram,
  inclusiveCumsum,
  paddedBins,
  paddedGather,
  paddedRowCount,
  paddedScatter,
  scatter,
  sort,
  topK as selectTopK,
} from '../src/index';
import {describeEachBackend, expectNoLeak} from './backends';
import {expectClose} from './close';
import {withValues} from './deferred';
import {expectGradients} from './finite_differences';
import {random} from './random';
import {
  binnedCopies,
  paddedCopies,
  paddedEnds,
  randomRouting,
  repeat,
  type Routing,
  routingOf,
  toTensors,
} from './routing';

/** A gather and its scatter under one signature, and the copy that each of their rows holds. */
interface Layout {
  name: string;
  gather(x: tf.Tensor, routing: Routing): tf.Tensor;
  scatter(x: tf.Tensor, routing: Routing, weights: tf.Tensor | null): tf.Tensor;
  copies(routing: Routing): number[];
  shape(routing: Routing, hiddenSize: number): number[];
}

const packed: Layout = {
  name: 'packed',
  gather(x, routing) {
    const {indices, binIds, bins} = toTensors(routing);
    return gather(x as tf.Tensor2D, indices, binIds, bins, routing.topK);
  },
  scatter(x, routing, weights) {
    const {indices, binIds, bins} = toTensors(routing);
    const rows = x as tf.Tensor2D;
    return scatter(rows, indices, binIds, weights as tf.Tensor1D, bins, routing.topK);
  },
  copies: ({indices}) => indices,
  shape: ({indices}, hiddenSize) => [indices.length, hiddenSize],
};

const padded = (blockSize: number): Layout => {
  const ends = (routing: Routing) => tf.tensor1d(paddedEnds(routing, blockSize), 'int32');
  const numRows = ({indices, numExperts}: Routing) =>
    paddedRowCount(indices.length, numExperts, blockSize);
  return {
    name: `padded to ${blockSize}`,
    gather(x, routing) {
      const {indices, binIds, bins} = toTensors(routing);
      const {topK} = routing;
      return paddedGather(
        x as tf.Tensor2D,
        indices,
        binIds,
        bins,
        ends(routing),
        topK,
        // 128 is the default.
        blockSize === 128 ? undefined : blockSize,
      );
    },
    scatter(x, routing, weights) {
      const {indices, binIds, bins} = toTensors(routing);
      return paddedScatter(
        x as tf.Tensor2D,
        indices,
        binIds,
        weights as tf.Tensor1D,
        bins,
        ends(routing),
        routing.topK,
      );
    },
    copies(routing) {
      const copies = paddedCopies(routing, blockSize);
      return [...copies, ...repeat(-1, numRows(routing) - copies.length)];
    },
    shape: (routing, hiddenSize) => [numRows(routing), hiddenSize],
  };
};

const binned = (binSizeOf: (routing: Routing) => number, name = 'binned'): Layout => ({
  name,
  gather(x, routing) {
    const {indices, bins} = toTensors(routing);
    return binnedGather(x as tf.Tensor2D, indices, bins, binSizeOf(routing), routing.topK);
  },
  scatter(x, routing, weights) {
    const {indices, bins} = toTensors(routing);
    return binnedScatter(x as tf.Tensor3D, indices, weights as tf.Tensor1D, bins, routing.topK);
  },
  copies: (routing) => binnedCopies(routing, binSizeOf(routing)),
  shape: (routing, hiddenSize) => [routing.numExperts, binSizeOf(routing), hiddenSize],
});

/** As MegaBlocks' tests have it: what an even routing needs. */
const evenShare = ({indices, numExperts}: Routing) => Math.floor(indices.length / numExperts);
/** As many as any routing needs. */
const roomForAll = ({indices, topK}: Routing) => indices.length / topK;
const fullest = ({tokensPerExpert}: Routing) => Math.max(...tokensPerExpert);

const DROPPING = binned(evenShare, 'binned, dropping');
const DROPLESS = [packed, padded(4), padded(128), binned(fullest, 'binned, dropless')];
const LAYOUTS = [...DROPLESS, DROPPING];
/** Those whose padding is small enough for finite differences. */
const SMALL_LAYOUTS = LAYOUTS.filter(({name}) => name !== 'padded to 128');

/** The rows of x [T, H] in a layout. */
function gatherReference(x: Float32Array, hiddenSize: number, copies: number[], topK: number) {
  return copies.flatMap((copy) => {
    const begin = Math.floor(copy / topK) * hiddenSize;
    return copy < 0 ? repeat(0, hiddenSize) : Array.from(x.subarray(begin, begin + hiddenSize));
  });
}

/** The rows of a layout brought back to [T, H]. */
function scatterReference(
  x: Float32Array,
  hiddenSize: number,
  copies: number[],
  {topK, indices}: Routing,
  weights?: Float32Array,
) {
  const out = new Float64Array((indices.length / topK) * hiddenSize);
  copies.forEach((copy, row) => {
    for (let i = 0; copy >= 0 && i < hiddenSize; i++) {
      const weight = weights == null ? 1 : weights[copy];
      out[Math.floor(copy / topK) * hiddenSize + i] += weight * x[row * hiddenSize + i];
    }
  });
  return out;
}

const inTidy = (f: () => void) => () => void tf.tidy(f);

describeEachBackend('permutation', () => {
  describe.each(LAYOUTS)('$name', (layout) => {
    // MegaBlocks' own hidden sizes, experts and top-k, on fewer tokens, and a hidden size of 1; wide
    // rows with few experts and narrow ones with many, or padding alone would fill the memory.
    test.each([
      [4, 2, 2, 1],
      [4, 2, 2, 2],
      [4, 2, 2, 4],
      [16, 1536, 4, 1],
      [16, 768, 4, 2],
      [16, 768, 4, 4],
      [128, 8, 64, 1],
      [128, 8, 64, 2],
      [128, 8, 64, 4],
      [128, 8, 128, 1],
      [128, 8, 128, 2],
      [128, 8, 128, 4],
      [1024, 1, 4, 2],
      [1024, 17, 4, 1],
    ])('%d tokens of %d, %d experts, top %d', (tokens, hiddenSize, numExperts, topK) => {
      tf.tidy(() => {
        const routing = randomRouting({tokens, numExperts, topK}, tokens + numExperts + topK);
        const copies = layout.copies(routing);
        const shape = layout.shape(routing, hiddenSize);
        const x = random(tokens * hiddenSize, 1);
        const y = layout.gather(tf.tensor2d(x, [tokens, hiddenSize]), routing);
        expectClose(y, gatherReference(x, hiddenSize, copies, topK), {tolerance: 0, shape});

        const rows = random(copies.length * hiddenSize, 2);
        const weights = random(tokens * topK, 3);
        const back = {shape: [tokens, hiddenSize], tolerance: 1e-6};
        expectClose(
          layout.scatter(tf.tensor(rows, shape), routing, null),
          scatterReference(rows, hiddenSize, copies, routing),
          back,
        );
        expectClose(
          layout.scatter(tf.tensor(rows, shape), routing, tf.tensor1d(weights)),
          scatterReference(rows, hiddenSize, copies, routing, weights),
          back,
        );
      });
    });
  });

  describe.each(SMALL_LAYOUTS)('$name', (layout) => {
    // Tokens, experts, top-k: some experts stay empty, and with few rows an expert some copies drop.
    const small = [
      [5, 3, 2],
      [3, 8, 1],
      [4, 1, 1],
      [4, 1, 2],
    ];
    const HIDDEN_SIZE = 2;
    const makeSmall = ([tokens, numExperts, topK]: number[]) => {
      const routing = randomRouting({tokens, numExperts, topK}, 7);
      const shape = layout.shape(routing, HIDDEN_SIZE);
      return {
        routing,
        shape,
        x: tf.tensor2d(random(tokens * HIDDEN_SIZE, 1), [tokens, HIDDEN_SIZE]),
        rows: tf.tensor(random(tf.util.sizeFromShape(shape), 2), shape),
        weights: tf.tensor1d(random(tokens * topK, 3)),
      };
    };

    test(
      'the gradients agree with finite differences',
      inTidy(() => {
        for (const {routing, x, rows, weights} of small.map(makeSmall)) {
          expectGradients((t) => layout.gather(t, routing), [x]);
          if (rows.size > 0) {
            expectGradients((t) => layout.scatter(t, routing, null), [rows]);
            expectGradients((t, w) => layout.scatter(t, routing, w), [rows, weights]);
          }
        }
      }),
    );

    test(
      'the gradients of the gradients agree with finite differences',
      inTidy(() => {
        const {routing, x, rows, weights} = makeSmall(small[0]);
        const squares = (t: tf.Tensor) => tf.square(layout.gather(t, routing));
        expectGradients(tf.grad(squares), [x]);
        // Weighted, the gradient of either input depends on the other.
        const product = (t: tf.Tensor, w: tf.Tensor) => tf.square(layout.scatter(t, routing, w));
        for (const which of [0, 1]) {
          expectGradients((...inputs) => tf.grads(product)(inputs)[which], [rows, weights]);
        }
      }),
    );

    test(
      'one expert that takes every token in order copies them',
      inTidy(() => {
        const routing = routingOf([0, 0, 0, 0], 1, 1);
        const x = tf.tensor2d(random(8, 1), [4, 2]);
        const rows = layout.copies(routing).length;
        const y = tf.reshape(layout.gather(x, routing), [rows, 2]);
        expectClose(tf.slice(y, [0, 0], [4, 2]), x, {tolerance: 0});
        expectClose(layout.scatter(layout.gather(x, routing), routing, null), x, {tolerance: 0});
      }),
    );

    test(
      'no tokens give no rows, and gradients of their shapes',
      inTidy(() => {
        const routing = routingOf([], 3, 2);
        const x = tf.zeros([0, 5]);
        const y = layout.gather(x, routing);
        expect(y.shape).toEqual(layout.shape(routing, 5));
        expect(tf.grad((t) => layout.gather(t, routing))(x).shape).toEqual([0, 5]);
        const [dx, dweights] = tf.grads((t, w) => layout.scatter(t, routing, w))([
          y,
          tf.zeros([0]),
        ]);
        expect(dx.shape).toEqual(y.shape);
        expect(dweights.shape).toEqual([0]);
      }),
    );

    test(
      'rows that no token fills are not read, and receive zero',
      inTidy(() => {
        const {routing, rows, weights, shape} = makeSmall(small[0]);
        const copies = layout.copies(routing);
        const values = rows.dataSync().slice();
        copies.forEach((copy, row) => {
          if (copy < 0) {
            values.fill(NaN, row * HIDDEN_SIZE, (row + 1) * HIDDEN_SIZE);
          }
        });
        const f = (t: tf.Tensor, w: tf.Tensor) => layout.scatter(t, routing, w);
        const inputs = [tf.tensor(values, shape), weights];
        expectClose(f(...(inputs as [tf.Tensor, tf.Tensor])), f(rows, weights), {tolerance: 0});
        const [dx, dweights] = tf.grads(f)(inputs);
        const clean = tf.grads(f)([rows, weights]);
        expectClose(dx, clean[0], {tolerance: 0});
        expectClose(dweights, clean[1], {tolerance: 0});
        withValues([dx], (dxValues) =>
          copies.forEach((copy, row) => {
            if (copy < 0) {
              expect(dxValues[row * HIDDEN_SIZE]).toBe(0);
            }
          }),
        );
      }),
    );

    test(
      'leaves nothing behind',
      inTidy(() => {
        const {routing, x, rows, weights} = makeSmall(small[0]);
        expectNoLeak(() => void layout.gather(x, routing));
        expectNoLeak(() => void tf.grad((t) => layout.gather(t, routing))(x));
        expectNoLeak(() => void layout.scatter(rows, routing, null));
        expectNoLeak(() => void tf.grad((t) => layout.scatter(t, routing, null))(rows));
        const f = (t: tf.Tensor, w: tf.Tensor) => layout.scatter(t, routing, w);
        expectNoLeak(() => void f(rows, weights));
        expectNoLeak(() => void tf.grads(f)([rows, weights]));
      }),
    );

    test(
      'a scatter keeps its rows for the backward pass only when it has weights',
      inTidy(() => {
        const {routing, rows, weights} = makeSmall(small[0]);
        const bytesKept = (weightsOrNull: tf.Tensor | null) => {
          let kept = 0;
          tf.grad((t) => {
            const doubled = tf.mul(t, 2);
            const before = tf.memory().numBytes;
            const y = tf.tidy(() => layout.scatter(doubled, routing, weightsOrNull));
            kept = tf.memory().numBytes - before - 4 * y.size;
            return y;
          })(rows);
          return kept;
        };
        expect(bytesKept(weights) - bytesKept(null)).toBe(4 * (rows.size + weights.size));
      }),
    );
  });

  test.each(DROPLESS)('$name: gather then scatter with weights 1 / k is the identity', (layout) => {
    tf.tidy(() => {
      for (const topK of [1, 2, 4]) {
        const routing = randomRouting({tokens: 33, numExperts: 6, topK}, topK);
        const x = tf.tensor2d(random(33 * 5, 1), [33, 5]);
        const weights = tf.fill([33 * topK], 1 / topK);
        const identity = (t: tf.Tensor) =>
          layout.scatter(layout.gather(t, routing), routing, weights);
        // Halves and quarters are exact.
        expectClose(identity(x), x, {tolerance: 0});
        expectClose(tf.grad(identity)(x, x), x, {tolerance: 0});
      }
    });
  });

  test.each([0, 1, 3, 10, 100])('%d rows an expert: what is dropped is the overflow', (binSize) => {
    tf.tidy(() => {
      const routing = randomRouting({tokens: 60, numExperts: 7, topK: 2});
      const layout = binned(() => binSize);
      const counts = layout.scatter(layout.gather(tf.ones([60, 1]), routing), routing, null);
      const overflow = routing.tokensPerExpert.map((count) => Math.max(0, count - binSize));
      withValues([tf.sum(counts)], ([kept]) =>
        expect(60 * 2 - kept).toBe(overflow.reduce((a, b) => a + b)),
      );
    });
  });

  test('the first come stay', () => {
    tf.tidy(() => {
      // MegaBlocks' worked example, with one row an expert.
      const routing = routingOf([1, 0, 1, 2, 0, 1, 1, 3], 5, 2);
      const layout = binned(() => 1);
      const weights = tf.tensor1d([1, 10, 100, 1000, 10000, 100000, 1000000, 10000000]);
      const y = layout.scatter(layout.gather(tf.ones([4, 1]), routing), routing, weights);
      expectClose(y, [11, 1000, 0, 10000000], {shape: [4, 1], tolerance: 0});
    });
  });

  test('dropless equals a capacity that holds all', () => {
    tf.tidy(() => {
      const routing = randomRouting({tokens: 40, numExperts: 5, topK: 3});
      const x = tf.tensor2d(random(40 * 4, 1), [40, 4]);
      const weights = tf.tensor1d(random(120, 2));
      const through = ({gather: take, scatter: bring}: Layout) =>
        bring(tf.tanh(take(x, routing)), routing, weights);
      const dropless = through(packed);
      expectClose(through(padded(8)), dropless, {tolerance: 0});
      expectClose(through(binned(roomForAll)), dropless, {tolerance: 0});
    });
  });

  test('permuted tokens give permuted results', () => {
    tf.tidy(() => {
      const [tokens, topK, hiddenSize] = [30, 2, 3];
      const routing = randomRouting({tokens, numExperts: 4, topK});
      const order = Array.from({length: tokens}, (_, i) => (i * 7) % tokens);
      const moved = routingOf(
        order.flatMap((token) => [0, 1].map((j) => routing.experts[token * topK + j])),
        4,
        topK,
      );
      const x = tf.tensor2d(random(tokens * hiddenSize, 1), [tokens, hiddenSize]);
      const weights = tf.tensor2d(random(tokens * topK, 2), [tokens, topK]);
      const ids = tf.tensor1d(order, 'int32');
      // Every expert scales its rows by its own number.
      const f = (t: tf.Tensor, w: tf.Tensor, r: Routing) => {
        const scales = tf.tensor2d(
          r.binIds.map((bin) => bin + 1),
          [tokens * topK, 1],
        );
        return packed.scatter(tf.mul(packed.gather(t, r), scales), r, tf.reshape(w, [-1]));
      };
      const permuted = f(tf.gather(x, ids), tf.gather(weights, ids), moved);
      expectClose(permuted, tf.gather(f(x, weights, routing), ids), {tolerance: 0});
    });
  });

  test('weights of dropped copies do no harm, whatever they are', () => {
    tf.tidy(() => {
      const routing = routingOf([0, 0, 0], 2, 1);
      const layout = binned(() => 2);
      const x = tf.tensor3d([1, 2, 3, 4], [2, 2, 1]);
      for (const weight of [NaN, Infinity]) {
        const y = layout.scatter(x, routing, tf.tensor1d([1, 2, weight]));
        expectClose(y, [1, 4, 0], {shape: [3, 1], tolerance: 0});
      }
    });
  });

  test('a NaN stays with its token', () => {
    tf.tidy(() => {
      const routing = routingOf([1, 0, 1, 0], 2, 2);
      const x = tf.tensor2d([NaN, 1], [2, 1]);
      for (const layout of DROPLESS) {
        const y = layout.scatter(layout.gather(x, routing), routing, null);
        expectClose(y, [NaN, 2], {shape: [2, 1]});
      }
    });
  });

  // Of an index that is no permutation, a backend may fill either row; the others are zero, not what memory held.
  test('of a copy that stands twice, or that there is not, no row is left unwritten', async () => {
    const y = tf.tidy(() => {
      const indices = tf.tensor1d([1, 1, 3, 9], 'int32');
      const binIds = tf.tensor1d([0, 0, 1, 1], 'int32');
      const x = tf.tensor2d([10, 20], [2, 1]);
      return gather(x, indices, binIds, tf.tensor1d([2, 4], 'int32'), 2);
    });
    const [first, second, ...rest] = await y.data();
    y.dispose();
    expect([first, second].filter((value) => value !== 0 && value !== 10)).toEqual([]);
    expect(first + second).toBeGreaterThan(0);
    expect(rest).toEqual([20, 0]);
  });

  test('the whole way, from scores to tokens, is differentiable', () => {
    tf.tidy(() => {
      const [tokens, hiddenSize, numExperts, topK, blockSize] = [4, 3, 4, 2, 2];
      // Scores far enough apart for the steps not to change the routing.
      const scores = tf.tensor2d(
        [4, 1, 3, 2, 1, 2, 3, 4, 2, 4, 1, 3, 3, 4, 2, 1],
        [tokens, numExperts],
      );
      const x = tf.tensor2d(random(tokens * hiddenSize, 2), [tokens, hiddenSize]);
      const layer = (s: tf.Tensor, t: tf.Tensor) => {
        const {values, indices: experts} = selectTopK(s as tf.Tensor2D, topK);
        const [binIds, indices] = sort(tf.reshape(experts, [-1]) as tf.Tensor1D, 2);
        const counts = histogram(binIds, numExperts);
        const bins = inclusiveCumsum(counts);
        const ends = paddedBins(counts, blockSize);
        const rows = paddedGather(t as tf.Tensor2D, indices, binIds, bins, ends, topK, blockSize);
        const weights = tf.reshape(values, [-1]) as tf.Tensor1D;
        const y = tf.tanh(rows) as tf.Tensor2D;
        return paddedScatter(y, indices, binIds, weights, bins, ends, topK);
      };
      expectGradients(layer, [scores, x]);
      expectNoLeak(() => void tf.grads(layer)([scores, x]));
    });
  });
});
