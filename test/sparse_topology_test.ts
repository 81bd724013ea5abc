import * as tf from '@tensorflow/tfjs';
import {
  rowIndices,
  sdd,
  SparseMatrix,
  SparseTopology,
  type SparseTopologyArgs,
  toDense,
} from '../src/index';
import {describeEachBackend, expectNoLeak} from './backends';
import {expectClose} from './close';

function ints(...values: number[]): tf.Tensor1D {
  return tf.tensor1d(values, 'int32');
}

function expectInts(actual: tf.Tensor, expected: number[]) {
  expect(actual.dtype).toBe('int32');
  expectClose(actual, expected, {tolerance: 0, shape: [expected.length]});
}

/** Figure 5 of the paper: six block-rows of four. */
function figure5(): SparseTopology {
  return SparseTopology.from({
    shape: [12, 8],
    blockSize: 2,
    columnIndices: ints(0, 2, 0, 3, 2),
    offsets: ints(0, 1, 2, 2, 2, 4, 5),
  });
}

describeEachBackend('SparseTopology', () => {
  test('the example of figure 5', () => {
    tf.tidy(() => {
      const topology = figure5();
      expectInts(topology.rowIndices, [0, 1, 4, 4, 5]);
      expectInts(topology.offsetsT, [0, 2, 2, 4, 5]);
      expectInts(topology.blockOffsetsT, [0, 2, 1, 4, 3]);
      expectInts(topology.columnIndicesT, [0, 4, 1, 5, 4]);
      expect(topology.numBlocks).toBe(5);
    });
  });

  test('unused blocks come last in the transposed index, and no offset counts them', () => {
    tf.tidy(() => {
      const topology = SparseTopology.from({
        shape: [3, 4],
        blockSize: 1,
        columnIndices: ints(3, -1, 0, 3, -1, -1),
        offsets: ints(0, 2, 4, 6),
      });
      expectInts(topology.rowIndices, [0, 0, 1, 1, 2, 2]);
      expectInts(topology.columnIndicesT, [1, 0, 1, -1, -1, -1]);
      expectInts(topology.blockOffsetsT, [2, 0, 3, -1, -1, -1]);
      expectInts(topology.offsetsT, [0, 1, 1, 1, 3]);
    });
  });

  test('a column out of range is an unused block', () => {
    tf.tidy(() => {
      const topology = SparseTopology.from({
        shape: [2, 2],
        blockSize: 1,
        columnIndices: ints(0, 2, 1000000, 1),
        offsets: ints(0, 2, 4),
      });
      expectInts(topology.columnIndicesT, [0, 1, -1, -1]);
      expectInts(topology.offsetsT, [0, 1, 2]);
      const matrix = new SparseMatrix(topology, tf.ones([4, 1, 1]));
      expectClose(toDense(matrix), [1, 0, 0, 1], {tolerance: 0, shape: [2, 2]});
    });
  });

  test('no blocks, and no rows or columns', () => {
    tf.tidy(() => {
      const empty = (rows: number, columns: number) =>
        SparseTopology.where([rows, columns], 4, () => false);
      expectInts(empty(8, 4).columnIndicesT, []);
      expectInts(empty(8, 4).offsetsT, [0, 0]);
      expectInts(empty(0, 8).offsetsT, [0, 0, 0]);
      expectInts(empty(8, 0).offsetsT, [0]);
    });
  });

  test('more blocks, block-rows and block-columns than int16 counts', () => {
    tf.tidy(() => {
      const size = 40000;
      const diagonal = Array.from({length: size}, (_, i) => i);
      const topology = SparseTopology.from({
        shape: [size, size],
        blockSize: 1,
        columnIndices: tf.tensor1d([...diagonal].reverse(), 'int32'),
        offsets: tf.tensor1d([...diagonal, size], 'int32'),
      });
      expectInts(topology.rowIndices, diagonal);
      expectInts(topology.columnIndicesT, [...diagonal].reverse());
      expectInts(topology.blockOffsetsT, [...diagonal].reverse());
      expectInts(topology.offsetsT, [...diagonal, size]);
    });
  });

  test('rowIndices are taken as they are given', () => {
    tf.tidy(() => {
      const rows = ints(0, 1, 4, 4, 5);
      const {shape, blockSize, columnIndices, offsets} = figure5();
      const given = {shape, blockSize, columnIndices, offsets, rowIndices: rows};
      expect(SparseTopology.from(given).rowIndices).toBe(rows);
    });
  });

  test('`where` asks block-row by block-row', () => {
    tf.tidy(() => {
      const asked: number[][] = [];
      const topology = SparseTopology.where([4, 6], 2, (...place) => asked.push(place) % 2 === 0);
      expect(asked).toEqual([
        [0, 0],
        [0, 1],
        [0, 2],
        [1, 0],
        [1, 1],
        [1, 2],
      ]);
      expectInts(topology.columnIndices, [1, 0, 2]);
      expectInts(topology.offsets, [0, 1, 3]);
    });
  });

  test('dispose frees the whole index', () => {
    const before = tf.memory().numTensors;
    const topology = figure5();
    expect(tf.memory().numTensors).toBe(before + 6);
    topology.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  test('tidy frees an index, and keeps one that is returned', () => {
    expectNoLeak(() => figure5());
    // tfjs declares containers as plain objects, but walks any.
    const make = () => new SparseMatrix(figure5(), tf.ones([5, 2, 2])) as unknown as tf.Tensor;
    const kept = tf.tidy(make) as unknown as SparseMatrix;
    expectInts(kept.topology.columnIndicesT, [0, 4, 1, 5, 4]);
    expectClose(kept.values, Array(20).fill(1), {tolerance: 0, shape: [5, 2, 2]});
    kept.topology.dispose();
    kept.dispose();
  });

  describe('errors', () => {
    const valid = (): SparseTopologyArgs => ({...figure5()});
    const message = (change: Partial<Record<keyof SparseTopologyArgs, unknown>>) => {
      const args = {...valid(), ...change} as SparseTopologyArgs;
      return () => new SparseTopology(args);
    };

    test.each<[string, () => Partial<Record<keyof SparseTopologyArgs, unknown>>, string]>([
      [
        'a block size of 0',
        () => ({blockSize: 0}),
        'blockSize must be an integer from 1 to 2147483647, got 0',
      ],
      [
        'a block size that is no integer',
        () => ({blockSize: 1.5}),
        'blockSize must be an integer from 1 to 2147483647, got 1.5',
      ],
      ['no shape', () => ({shape: undefined}), 'shape must be [rows, columns], got undefined'],
      ['a shape of one axis', () => ({shape: [12]}), 'shape must be [rows, columns], got [12]'],
      [
        'negative rows',
        () => ({shape: [-2, 8]}),
        'rows must be an integer from 0 to 2147483647, got -2',
      ],
      [
        'more rows than int32 counts',
        () => ({shape: [2 ** 31, 8]}),
        'rows must be an integer from 0 to 2147483647, got 2147483648',
      ],
      [
        'more columns than int32 counts',
        () => ({shape: [12, 2 ** 31]}),
        'columns must be an integer from 0 to 2147483647, got 2147483648',
      ],
      [
        'a shape that the blocks do not divide',
        () => ({shape: [12, 9]}),
        'shape must be a multiple of the block size, 2, got [12,9]',
      ],
      [
        'columns that are no tensor',
        () => ({columnIndices: [0, 1]}),
        'columnIndices must be a tensor, got 0,1',
      ],
      [
        'columns of rank 2',
        () => ({columnIndices: tf.ones([5, 1], 'int32')}),
        'columnIndices must have rank 1, got shape [5,1]',
      ],
      [
        'float columns',
        () => ({columnIndices: tf.ones([5])}),
        'columnIndices must be int32, got float32',
      ],
      [
        'offsets of another length',
        () => ({offsets: ints(0, 5)}),
        'offsets must have shape [7], got [2]',
      ],
      ['float offsets', () => ({offsets: tf.ones([7])}), 'offsets must be int32, got float32'],
      [
        'rows of another length',
        () => ({rowIndices: ints(0)}),
        'rowIndices must have shape [5], got [1]',
      ],
      [
        'transposed columns of another length',
        () => ({columnIndicesT: ints(0)}),
        'columnIndicesT must have shape [5], got [1]',
      ],
      [
        'transposed offsets of another length',
        () => ({offsetsT: ints(0)}),
        'offsetsT must have shape [5], got [1]',
      ],
      [
        'block offsets of another length',
        () => ({blockOffsetsT: ints(0)}),
        'blockOffsetsT must have shape [5], got [1]',
      ],
      [
        'a part that is missing',
        () => ({blockOffsetsT: undefined}),
        'blockOffsetsT must be a tensor, got undefined',
      ],
    ])('%s', (_, change, expected) => {
      tf.tidy(() => expect(message(change())).toThrow(`SparseTopology: ${expected}`));
    });

    test('blocks with more elements than int32 counts', () => {
      tf.tidy(() => {
        const columnIndices = ints(0);
        const large = () =>
          SparseTopology.from({
            shape: [65536, 65536],
            blockSize: 65536,
            columnIndices,
            offsets: ints(0, 1),
          });
        expect(large).toThrow(
          'SparseTopology: values must have at most 2147483647 elements, got shape [1,65536,65536]',
        );
      });
    });

    test('`from` and `where` check before they allocate', () => {
      const [columnIndices, offsets] = [ints(0), ints(0)];
      const before = tf.memory().numTensors;
      expect(() =>
        SparseTopology.from({shape: [2, 2], blockSize: 2, columnIndices, offsets}),
      ).toThrow('SparseTopology: offsets must have shape [2], got [1]');
      expect(() => SparseTopology.where([2, 3], 2, () => true)).toThrow(
        'SparseTopology: shape must be a multiple of the block size, 2, got [2,3]',
      );
      expect(tf.memory().numTensors).toBe(before);
      tf.dispose([columnIndices, offsets]);
    });
  });
});

describeEachBackend('SparseMatrix', () => {
  test('t shares the storage and swaps the shape', () => {
    tf.tidy(() => {
      const topology = figure5();
      const matrix = new SparseMatrix(topology, tf.ones([5, 2, 2]));
      expect([matrix.shape, matrix.transposed, matrix.blockSize]).toEqual([[12, 8], false, 2]);
      const transposed = matrix.t();
      expect([transposed.shape, transposed.transposed]).toEqual([[8, 12], true]);
      expect(transposed.values).toBe(matrix.values);
      expect(transposed.topology).toBe(topology);
      expect(transposed.t().shape).toEqual([12, 8]);
    });
  });

  test('dispose frees the values and leaves the topology to its owner', () => {
    const topology = figure5();
    const [a, b] = [tf.ones([12, 3]) as tf.Tensor2D, tf.ones([3, 8]) as tf.Tensor2D];
    const before = tf.memory().numTensors;
    const matrix = sdd(a, b, topology);
    matrix.dispose();
    expect(tf.memory().numTensors).toBe(before);
    expectInts(topology.rowIndices, [0, 1, 4, 4, 5]);
    topology.dispose();
    tf.dispose([a, b]);
  });

  test('errors', () => {
    tf.tidy(() => {
      const topology = figure5();
      const of = (values: tf.Tensor) => () => new SparseMatrix(topology, values as tf.Tensor3D);
      expect(of(tf.ones([4, 2, 2]))).toThrow(
        'SparseMatrix: values must have shape [5,2,2], got [4,2,2]',
      );
      expect(of(tf.ones([5, 2, 2], 'int32'))).toThrow(
        'SparseMatrix: values must be float32, got int32',
      );
      expect(() => new SparseMatrix(undefined as never, tf.ones([5, 2, 2]))).toThrow(
        'SparseMatrix: topology must be a SparseTopology, got undefined',
      );
    });
  });
});

describeEachBackend('rowIndices', () => {
  test('errors of a call that cannot come from a case file', () => {
    expect(() => rowIndices([0, 1] as never, 1)).toThrow(
      'rowIndices: offsets must be a tensor, got 0,1',
    );
  });
});
