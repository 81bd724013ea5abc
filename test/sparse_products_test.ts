import * as tf from '@tensorflow/tfjs';
import {
  dds,
  dsd,
  paddedBins,
  paddedRowCount,
  randomMask,
  sdd,
  sparseActivation,
  SparseMatrix,
  SparseTopology,
  topology as topologyOf,
} from '../src/index';
import {describeEachBackend, expectNoLeak} from './backends';
import {expectClose} from './close';
import {expectGradients} from './finite_differences';
import {random} from './random';
import {allowSoftware} from './settings';
import {
  expectAsDense as expectProductAsDense,
  type Product,
  sparseProducts,
  TRANSPOSES,
} from './sparse_products';

type Dense = tf.Tensor2D;

const NUMBERS = random(1 << 18, 1);

function numbers<R extends tf.Rank>(shape: tf.ShapeMap[R], seed: number): tf.Tensor<R> {
  const size = shape.reduce((a: number, b: number) => a * b, 1);
  return tf.tensor(NUMBERS.subarray(seed * 7, seed * 7 + size), shape);
}

function matrix(rows: number, columns: number, seed: number): Dense {
  return numbers([rows, columns], seed);
}

const products = sparseProducts(numbers);
const PRODUCTS = Object.entries(products);
const expectAsDense = (product: Product) => expectProductAsDense(product, numbers);

// stk's own cases, each size larger in turn; its grid of sizes and sparsities, thinned.
const CASES = [
  {rows: 128, columns: 128, size: 128, sparsity: 0},
  {rows: 128, columns: 512, size: 32, sparsity: 0.75},
  {rows: 256, columns: 128, size: 128, sparsity: 0.5},
  {rows: 128, columns: 128, size: 256, sparsity: 0},
  {rows: 512, columns: 128, size: 64, sparsity: 0.5},
  {rows: 256, columns: 512, size: 32, sparsity: 0.8},
  {rows: 256, columns: 256, size: 64, sparsity: 0.75},
];

describeEachBackend('block-sparse products', (backendName) => {
  // The plain loops of the reference are slower, so it gets the small ones; so does a GPU in software,
  // which besides compiles a program for every block size, flag and product.
  const isSoftware = (backendName === 'webgpu' && allowSoftware) || backendName === 'webgl';
  const cases = backendName === 'cpu' || isSoftware ? CASES.slice(0, 2) : CASES;
  const blockSizes = isSoftware ? [8, 32] : [1, 8, 16, 32, 128];

  describe.each(PRODUCTS)('%s', (_, productOf) => {
    describe.each(TRANSPOSES)('transposeA %s, transposeB %s', (...flags) => {
      test.each(cases)(
        '$rows x $columns, dense size $size, sparsity $sparsity',
        ({rows, columns, size, sparsity}) => {
          tf.tidy(() => {
            const {topology} = randomMask(rows, columns, sparsity, 128, 7);
            expectAsDense(productOf(topology, size, flags));
          });
        },
      );

      test.each(blockSizes)('blocks of %s', (blockSize) => {
        const [rows, columns] = blockSize === 128 ? [128, 256] : [64, 96];
        for (const sparsity of [0, 0.5, 0.8, 1]) {
          tf.tidy(() => {
            const {topology} = randomMask(rows, columns, sparsity, blockSize, 5);
            expectAsDense(productOf(topology, 8, flags));
          });
        }
      });

      test('blocks of no power of two, odd sizes', () => {
        tf.tidy(() => expectAsDense(productOf(randomMask(15, 21, 0.4, 3, 2).topology, 5, flags)));
      });

      test('the gradients against finite differences', () => {
        tf.tidy(() => {
          const {product, operands} = productOf(randomMask(4, 6, 0.3, 2, 3).topology, 3, flags);
          expectGradients(product, operands);
        });
      });

      test('nothing in the way of second derivatives', () => {
        tf.tidy(() => {
          const topology = randomMask(4, 6, 0.3, 2, 3).topology;
          const {product, dense, operands} = productOf(topology, 3, flags);
          const second = (f: Product['product']) => {
            const gradient = tf.grads((a, b) => tf.sum(tf.square(f(a, b))));
            return tf.grads((a, b) => tf.addN(gradient([a, b]).map((x) => tf.sum(tf.square(x)))))(
              operands,
            );
          };
          const wanted = second(dense);
          second(product).forEach((x, i) => expectClose(x, wanted[i]));
        });
      });

      test('unused blocks are zero whatever their values, and so is their gradient', () => {
        tf.tidy(() => {
          // Blocks 1, 4 and 5 are unused: in the middle of a row, and a whole row.
          const topology = SparseTopology.from({
            shape: [6, 8],
            blockSize: 2,
            columnIndices: tf.tensor1d([0, -1, 3, 1, -1, -1], 'int32'),
            offsets: tf.tensor1d([0, 3, 4, 6], 'int32'),
          });
          const used = tf.tensor3d([1, 0, 1, 1, 0, 0], [6, 1, 1]);
          const spoil = (x: tf.Tensor) =>
            tf.where(tf.broadcastTo(tf.greater(used, 0), [6, 2, 2]), x, tf.fill([6, 2, 2], NaN));
          const {product, operands} = productOf(topology, 3, flags);
          const spoilt = operands.map((x) => (x.rank === 3 ? spoil(x) : x));

          const {shape} = product(...operands);
          const dy = numbers(shape as [number, number], 4);
          const {value, grads} = tf.valueAndGrads(product)(spoilt, dy);
          const small = SparseTopology.where(
            [6, 8],
            2,
            (i, j) => (i === 0 && (j === 0 || j === 3)) || (i === 1 && j === 1),
          );
          const pick = tf.tensor1d([0, 2, 3], 'int32');
          const wanted = productOf(small, 3, flags);
          const wantedOperands = operands.map((x) => (x.rank === 3 ? tf.gather(x, pick) : x));
          const expected = tf.valueAndGrads(wanted.product)(wantedOperands, dy);
          expectClose(value, expected.value);
          grads.forEach((grad, i) => {
            expectClose(operands[i].rank === 3 ? tf.gather(grad, pick) : grad, expected.grads[i]);
            if (operands[i].rank === 3) {
              const unused = tf.gather(grad, tf.tensor1d([1, 4, 5], 'int32'));
              expectClose(unused, new Float32Array(12), {tolerance: 0});
            }
          });
        });
      });

      test.each([
        [0, 8, 3],
        [8, 0, 3],
        [0, 0, 3],
        [8, 4, 0],
      ])('a sparse matrix of %s x %s and a dense size of %s', (rows, columns, size) => {
        tf.tidy(() => {
          const {product, operands} = productOf(
            randomMask(rows, columns, 0, 4).topology,
            size,
            flags,
          );
          const {shape, size: numElements} = product(...operands);
          const dy = numbers(shape as [number, number], 4);
          const {value, grads} = tf.valueAndGrads(product)(operands, dy);
          expectClose(value, new Float32Array(numElements), {tolerance: 0});
          grads.forEach((grad, i) =>
            expectClose(grad, new Float32Array(operands[i].size), {shape: operands[i].shape}),
          );
        });
      });

      test('leaks nothing, forward and backward', () => {
        const {topology} = randomMask(8, 12, 0.5, 4, 1);
        const held = tf.tidy(() => {
          const {operands} = productOf(topology, 3, flags);
          return operands.map((x) => tf.clone(x));
        });
        expectNoLeak(() => {
          const {product} = productOf(topology, 3, flags);
          tf.grads((a, b) => tf.sum(product(a, b)))(held);
        });
        tf.dispose(held);
        topology.dispose();
      });
    });
  });

  // A workgroup for each of 40,000 lines: minutes in software, nothing on a GPU.
  const testOfManyLines = isSoftware ? test.skip : test;
  testOfManyLines('more block-rows and block-columns than int16 counts', () => {
    tf.tidy(() => {
      const places = [
        [0, 2],
        [32767, 0],
        [32768, 1],
        [39999, 2],
      ];
      const tall = SparseTopology.where([40000, 3], 1, (i, j) =>
        places.some(([row, column]) => row === i && column === j),
      );
      const wide = SparseTopology.from({
        shape: [3, 40000],
        blockSize: 1,
        columnIndices: tf.tensor1d([32767, 32768, 0, 39999], 'int32'),
        offsets: tf.tensor1d([0, 1, 2, 4], 'int32'),
      });
      for (const topology of [tall, wide]) {
        for (const [, productOf] of PRODUCTS) {
          expectAsDense(productOf(topology, 2, [false, false]));
        }
        expectAsDense(products.dsd(topology, 2, [true, false]));
        expectAsDense(products.dds(topology, 2, [false, true]));
      }
    });
  });

  test('the experts of a dMoE: a topology with a static number of block-rows', () => {
    tf.tidy(() => {
      const [blockSize, hidden, ffn] = [4, 6, 8];
      const counts = [5, 0, 4];
      const numRows = paddedRowCount(9, counts.length, blockSize);
      const blockRows = numRows / blockSize;
      const blocksPerRow = ffn / blockSize;
      const bins = paddedBins(tf.tensor1d(counts, 'int32'), blockSize); // 8, 8, 12
      const topology = SparseTopology.from({
        shape: [numRows, ffn * counts.length],
        blockSize,
        columnIndices: topologyOf(bins, blockSize, blockRows, blocksPerRow),
        offsets: tf.range(0, (blockRows + 1) * blocksPerRow, blocksPerRow, 'int32'),
      });
      expect(numRows).toBeGreaterThan(12);

      const x = matrix(numRows, hidden, 5);
      const w1 = matrix(ffn * counts.length, hidden, 6);
      const w2 = matrix(ffn * counts.length, hidden, 7);
      const sparse = (a: Dense, b: Dense, c: Dense) =>
        dsd(
          sparseActivation(sdd(a, b, topology, {transposeB: true}), (h) => tf.elu(h)),
          c,
        );
      const experts = (a: Dense, b: Dense, c: Dense) => {
        const one = (begin: number, rows: number, e: number) => {
          const weights = [b, c].map((w) => tf.slice(w, [e * ffn, 0], [ffn, hidden]));
          const h = tf.elu(
            tf.matMul(tf.slice(a, [begin, 0], [rows, hidden]), weights[0], false, true),
          );
          return tf.matMul(h, weights[1]);
        };
        return tf.concat([one(0, 8, 0), one(8, 4, 2), tf.zeros([numRows - 12, hidden])]);
      };
      const dy = matrix(numRows, hidden, 8);
      const {value, grads} = tf.valueAndGrads(sparse as Product['product'])([x, w1, w2], dy);
      const wanted = tf.valueAndGrads(experts as Product['product'])([x, w1, w2], dy);
      expectClose(value, wanted.value);
      grads.forEach((grad, i) => expectClose(grad, wanted.grads[i], {name: `gradient ${i}`}));
    });
  });

  describe('errors', () => {
    const topology = () => SparseTopology.where([4, 6], 2, (i, j) => i === j);
    const sparse = () => new SparseMatrix(topology(), tf.ones([2, 2, 2]));
    const one = (rows: number, columns: number) => tf.ones([rows, columns]) as Dense;
    const ints = (rows: number, columns: number) => tf.ones([rows, columns], 'int32') as Dense;

    test.each<[string, string, () => unknown]>([
      [
        'sdd of another number of rows',
        'sdd: a must have shape [4,*], got [5,3]',
        () => sdd(one(5, 3), one(3, 6), topology()),
      ],
      [
        'sdd of another number of rows, transposed',
        'sdd: a must have shape [*,4], got [4,3]',
        () => sdd(one(4, 3), one(3, 6), topology(), {transposeA: true}),
      ],
      [
        'sdd of another inner size',
        'sdd: b must have shape [3,6], got [2,6]',
        () => sdd(one(4, 3), one(2, 6), topology()),
      ],
      [
        'sdd of another inner size, transposed',
        'sdd: b must have shape [6,3], got [3,6]',
        () => sdd(one(4, 3), one(3, 6), topology(), {transposeB: true}),
      ],
      [
        'sdd of int32',
        'sdd: a must be float32, got int32',
        () => sdd(ints(4, 3), one(3, 6), topology()),
      ],
      [
        'sdd of an int32 b',
        'sdd: b must be float32, got int32',
        () => sdd(one(4, 3), ints(3, 6), topology()),
      ],
      [
        'sdd of no tensor',
        'sdd: a must be a tensor, got undefined',
        () => sdd(undefined as never, one(3, 6), topology()),
      ],
      [
        'sdd with a matrix for a topology',
        'sdd: topology must be a SparseTopology, got a SparseMatrix',
        () => sdd(one(4, 3), one(3, 6), sparse() as never),
      ],
      [
        'sdd without a topology',
        'sdd: topology must be a SparseTopology, got undefined',
        () => sdd(one(4, 3), one(3, 6), undefined as never),
      ],
      [
        'dsd of another inner size',
        'dsd: b must have shape [6,*], got [4,3]',
        () => dsd(sparse(), one(4, 3)),
      ],
      [
        'dsd of another inner size, transposed',
        'dsd: b must have shape [*,4], got [4,3]',
        () => dsd(sparse().t(), one(4, 3), {transposeB: true}),
      ],
      ['dsd of int32', 'dsd: b must be float32, got int32', () => dsd(sparse(), ints(6, 3))],
      [
        'dsd of a dense matrix',
        'dsd: a must be a SparseMatrix, got a Tensor',
        () => dsd(one(4, 6) as never, one(6, 3)),
      ],
      [
        'dds of another inner size',
        'dds: a must have shape [*,4], got [3,6]',
        () => dds(one(3, 6), sparse()),
      ],
      [
        'dds of another inner size, transposed',
        'dds: a must have shape [6,*], got [3,6]',
        () => dds(one(3, 6), sparse().t(), {transposeA: true}),
      ],
      ['dds of int32', 'dds: a must be float32, got int32', () => dds(ints(3, 4), sparse())],
      [
        'dds of a dense matrix',
        'dds: b must be a SparseMatrix, got a Tensor',
        () => dds(one(3, 4), one(4, 6) as never),
      ],
    ])('%s', (_, message, run) => {
      tf.tidy(() => expect(run).toThrow(message));
    });

    test('a result with more elements than int32 counts', () => {
      tf.tidy(() => {
        const tall = SparseTopology.where([65536, 1], 1, () => false);
        const matrix = new SparseMatrix(tall, tf.zeros([0, 1, 1]));
        const message = 'the result must have at most 2147483647 elements, got shape';
        expect(() => dsd(matrix, one(1, 32768))).toThrow(`dsd: ${message} [65536,32768]`);
        expect(() => dds(one(32768, 1), matrix.t())).toThrow(`dds: ${message} [32768,65536]`);
      });
    });
  });
});
