import * as tf from '@tensorflow/tfjs';
import {
  exclusiveCumsum,
  histogram,
  inclusiveCumsum,
  paddedBins,
  paddedRowCount,
  roundUp,
  sort,
  topology,
} from '../src/index';
import {describeEachBackend, expectNoLeak, maxInt} from './backends';
import {expectClose} from './close';
import {paddedEnds, randomInts, randomRouting, routingOf, sums} from './routing';

function expectEqual(actual: tf.Tensor, expected: number[], shape: number[] = [expected.length]) {
  expect(actual.dtype).toBe('int32');
  expectClose(actual, expected, {tolerance: 0, shape});
}

describeEachBackend('sort', (backendName) => {
  const max = maxInt(backendName) + 1;

  // MegaBlocks' own sizes: all bits, and the bits of 128 experts.
  test.each([32, 1024, 16384])('%d keys, all bits', (size) => {
    tf.tidy(() => {
      const keys = randomInts(size, -max, max, size);
      const [sorted, indices] = sort(tf.tensor1d(keys, 'int32'));
      const order = keys.map((_, i) => i).sort((i, j) => keys[i] - keys[j] || i - j);
      expectEqual(indices, order);
      expectEqual(
        sorted,
        order.map((i) => keys[i]),
      );
    });
  });

  test.each([32, 1024, 16384, 150001])('%d keys below 128 keep their order where equal', (size) => {
    tf.tidy(() => {
      const {
        experts,
        binIds,
        indices: order,
      } = randomRouting({
        tokens: size,
        numExperts: 128,
        topK: 1,
      });
      const [sorted, indices] = sort(tf.tensor1d(experts, 'int32'), 7);
      expectEqual(sorted, binIds);
      expectEqual(indices, order);
    });
  });

  // Each count of passes, and digits of uneven width.
  test.each([1, 2, 10, 11, 12, 13, 21, 22, 23, 29, 31])('by the low %d bits alone', (endBit) => {
    tf.tidy(() => {
      const keys = randomInts(500, -max, max, endBit);
      const low = keys.map((key) => (key >>> 0) % 2 ** endBit);
      const order = keys.map((_, i) => i).sort((i, j) => low[i] - low[j] || i - j);
      const [sorted, indices] = sort(tf.tensor1d(keys, 'int32'), endBit);
      expectEqual(indices, order);
      expectEqual(
        sorted,
        order.map((i) => keys[i]),
      );
    });
  });

  test('leaves the keys as they are, and nothing behind', () => {
    tf.tidy(() => {
      const x = tf.tensor1d([3, 1, 2], 'int32');
      expectNoLeak(() => void sort(x));
      expectNoLeak(() => void sort(x, 2));
      expectEqual(x, [3, 1, 2]);
    });
  });
});

describeEachBackend('histogram', () => {
  // MegaBlocks' own sizes; a fifth of the values is out of range.
  const batches = [1, 2, 8];
  const sizes = [32, 1024, 16384];
  const maxima = [128, 1024];
  const cases = batches.flatMap((batch) =>
    sizes.flatMap((size) => maxima.map((max): [number, number, number] => [batch, size, max])),
  );
  test.each(cases)('%d rows of %d values, %d counts', (batch, size, max) => {
    tf.tidy(() => {
      const values = randomInts(batch * size, -max * 0.1, max * 1.1, batch + size + max);
      const counts = Array.from({length: batch * max}, () => 0);
      values.forEach((value, i) => {
        if (value >= 0 && value < max) {
          counts[Math.floor(i / size) * max + value]++;
        }
      });
      const x = tf.tensor2d(values, [batch, size], 'int32');
      expectEqual(histogram(x, max), counts, [batch, max]);
      if (batch === 1) {
        expectEqual(histogram(tf.reshape(x, [size]) as tf.Tensor1D, max), counts, [max]);
      }
    });
  });

  test('leaves nothing behind', () => {
    tf.tidy(() => {
      const x = tf.tensor1d([3, 1, 2], 'int32');
      expectNoLeak(() => void histogram(x, 4));
    });
  });
});

describeEachBackend('cumsum', () => {
  // MegaBlocks' own sizes.
  const cases = [1, 2, 8, 128].flatMap((batch) =>
    [32, 1024, 16384]
      .filter((size) => batch * size <= 2 ** 18)
      .map((size): [number, number] => [batch, size]),
  );
  test.each(cases)('%d rows of %d values', (batch, size) => {
    tf.tidy(() => {
      const values = randomInts(batch * size, -1000, 2000, batch + size);
      const inclusive: number[] = [];
      for (let row = 0; row < batch; row++) {
        inclusive.push(...sums(values.slice(row * size, (row + 1) * size)));
      }
      const x = tf.tensor2d(values, [batch, size], 'int32');
      expectEqual(inclusiveCumsum(x), inclusive, [batch, size]);
      const exclusive = inclusive.map((sum, i) => sum - values[i]);
      expectEqual(exclusiveCumsum(x), exclusive, [batch, size]);
    });
  });

  test('leaves nothing behind', () => {
    tf.tidy(() => {
      const x = tf.tensor1d([3, 1, 2], 'int32');
      expectNoLeak(() => void inclusiveCumsum(x));
      expectNoLeak(() => void exclusiveCumsum(x));
    });
  });
});

describeEachBackend('padding', () => {
  test.each([1, 2, 7, 128])('blocks of %d', (blockSize) => {
    tf.tidy(() => {
      const routing = randomRouting({tokens: 300, numExperts: 16, topK: 2}, blockSize);
      const counts = tf.tensor1d(routing.tokensPerExpert, 'int32');
      const ends = paddedEnds(routing, blockSize);
      expectEqual(paddedBins(counts, blockSize), ends);
      expectEqual(inclusiveCumsum(roundUp(counts, blockSize)), ends);
    });
  });

  test('leaves nothing behind', () => {
    tf.tidy(() => {
      const x = tf.tensor1d([3, 1, 2], 'int32');
      expectNoLeak(() => void roundUp(x, 4));
      expectNoLeak(() => void paddedBins(x, 4));
    });
  });
});

describe('paddedRowCount', () => {
  test('no routing of a few rows needs more, and one needs as many', () => {
    for (const [numRows, numExperts, blockSize] of [
      [5, 3, 2],
      [4, 3, 4],
      [3, 5, 3],
      [6, 2, 4],
      [5, 1, 3],
      [0, 3, 4],
    ]) {
      let most = 0;
      for (let code = 0; code < numExperts ** numRows; code++) {
        const experts = Array.from(
          {length: numRows},
          (_, i) => Math.floor(code / numExperts ** i) % numExperts,
        );
        const ends = paddedEnds(routingOf(experts, numExperts, 1), blockSize);
        most = Math.max(most, ends[numExperts - 1]);
      }
      expect(paddedRowCount(numRows, numExperts, blockSize)).toBe(most);
    }
  });

  test.each([
    [[-1, 2, 3], 'paddedRowCount: numRows must be an integer of at least 0, got -1'],
    [[1, 1.5, 3], 'paddedRowCount: numExperts must be an integer of at least 0, got 1.5'],
    [[1, 2, 0], 'paddedRowCount: blockSize must be an integer of at least 1, got 0'],
  ])('of %j is an error', ([numRows, numExperts, blockSize], message) => {
    expect(() => paddedRowCount(numRows, numExperts, blockSize)).toThrow(message);
  });
});

describeEachBackend('topology', () => {
  // MegaBlocks' own sizes: tokens, ffn hidden size, experts.
  const cases = [
    ...[2, 8, 32, 128, 512].map((experts): [number, number, number] => [1024, 1536, experts]),
    ...[2, 64, 1024].map((experts): [number, number, number] => [16384, 768, experts]),
    [8, 14336, 8] as [number, number, number],
  ];
  test.each(cases)('%d tokens, %d features, %d experts', (tokens, features, numExperts) => {
    tf.tidy(() => {
      const blockSize = 128;
      const blocksPerRow = features / blockSize;
      const routing = randomRouting({tokens, numExperts, topK: 1}, numExperts);
      const ends = paddedEnds(routing, blockSize);
      const blockRows = paddedRowCount(tokens, numExperts, blockSize) / blockSize;
      const columns = Array.from({length: blockRows * blocksPerRow}, (_, i) => {
        const row = Math.floor(i / blocksPerRow) * blockSize;
        const expert = ends.findIndex((end) => row < end);
        return expert < 0 ? -1 : expert * blocksPerRow + (i % blocksPerRow);
      });
      const x = tf.tensor1d(ends, 'int32');
      expectEqual(topology(x, blockSize, blockRows, blocksPerRow), columns);
    });
  });

  test('leaves nothing behind', () => {
    tf.tidy(() => {
      const x = tf.tensor1d([2, 4], 'int32');
      expectNoLeak(() => void topology(x, 2, 3, 2));
    });
  });
});
