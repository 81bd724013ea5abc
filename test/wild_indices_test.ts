import {readFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import * as tf from '@tensorflow/tfjs';
import {runKernel} from '../src/kernel';
import {GroupedMlp, type PermutationIndex, type SparseIndex} from '../src/kernel_names';
import {describeEachBackend} from './backends';
import {expectClose} from './close';
import {random} from './random';

// Index tensors that say anything: no kernel touches what lies out of bounds, or runs for ever. What it
// computes is not said.

type Inputs = Record<string, tf.Tensor>;
type Call = [inputs: Inputs, attrs?: object];
/** An index tensor of wild values. */
type Wild = (...shape: number[]) => tf.Tensor;

/** Values of every magnitude and of either sign, and the largest ones; others in every round. */
function wildIn(round: number): Wild {
  let seed = 1000 * round;
  return (...shape) => {
    const turn = seed++;
    const values = Array.from(random(tf.util.sizeFromShape(shape), turn), (x, i) =>
      Math.floor(x * 2 ** ((7 * i + turn) % 32)),
    );
    values[turn % values.length] = [-1, 2 ** 31 - 1, -(2 ** 31)][turn % 3];
    return tf.tensor(values, shape, 'int32');
  };
}

/** A call of each kernel that takes indices, or several; `s` scales the sizes. */
const CALLS: Record<string, (wild: Wild, s: number) => Call[]> = {
  Sort: (wild, s) => [1, 7, 32].map((endBit) => [{keys: wild(9 * s)}, {endBit}]),
  Histogram: (wild, s) => [[{x: wild(2, 9 * s)}, {max: 5}]],
  Cumsum: (wild, s) => [true, false].map((exclusive) => [{x: wild(2, 9 * s)}, {exclusive}]),
  RoundUp: (wild, s) => [[{x: wild(9 * s)}, {multiple: 128}]],
  PaddedBins: (wild) => [[{tokensPerExpert: wild(4)}, {blockSize: 128}]],
  Replicate: (wild, s) => [
    [{x: tf.ones([2, 4]), bins: wild(4)}, {numOutputs: 9 * s}],
    [{x: wild(4), bins: wild(4)}, {numOutputs: 9 * s}],
  ],
  ReplicateGrad: (wild, s) => [[{dy: tf.ones([2, 9 * s]), bins: wild(4)}, {numOutputs: 9 * s}]],

  TakeAlongRows: (wild, s) => [
    [{x: tf.ones([6 * s, 3]), indices: wild(6 * s, 2)}, {numColumns: 3}],
  ],
  TakeAlongRowsGrad: (wild, s) => [
    [{dy: tf.ones([6 * s, 2]), indices: wild(6 * s, 2)}, {numColumns: 3}],
  ],

  Gather: permutationCalls(({tokens}) => ({x: tf.ones(tokens)})),
  WeightedGather: permutationCalls(({tokens, weights}) => ({x: tf.ones(tokens), weights})),
  Scatter: permutationCalls(({routed}) => ({x: tf.ones(routed)})),
  WeightedScatter: permutationCalls(({routed, weights}) => ({x: tf.ones(routed), weights})),
  ScatterWeightsGrad: permutationCalls(({tokens, routed}) => ({
    x: tf.ones(routed),
    dy: tf.ones(tokens),
  })),

  GroupedMatMul: (wild, s) => {
    const a = tf.ones([6 * s, 3 * s]);
    const call = (b: number[], transposeA: boolean, transposeB: boolean): Call => [
      {a, b: tf.ones(b), bins: wild(4)},
      {transposeA, transposeB},
    ];
    return [
      call([4, 3 * s, 5 * s], false, false),
      call([4, 5 * s, 3 * s], false, true),
      call([6 * s, 5 * s], true, false),
    ];
  },
  GroupedMlp: groupedMlpCalls,
  GroupedMlpGrad: (wild, s) =>
    groupedMlpCalls(wild, s).map(([inputs, attrs], i): Call => {
      // As the forward pass left it, of other bins and of indices that are a permutation.
      const [forward] = groupedMlpCalls(wild, s)[i % 2];
      const [, saved] = runKernel(GroupedMlp, forward, attrs) as unknown as tf.Tensor[];
      return [{...inputs, dy: tf.onesLike(inputs.x), saved}, attrs];
    }),

  Sdd: sparseProductCalls(({a, b}) => ({a, b})),
  Dsd: sparseProductCalls(({values, b}) => ({values, b}), 'a'),
  Dds: sparseProductCalls(({a, values}) => ({a, values}), 'b'),
  Topology: (wild, s) => [
    [{paddedBins: wild(4)}, {blockSize: 2, blockRows: 3 * s, blocksPerRow: 2}],
  ],
  RowIndices: (wild, s) => [[{offsets: wild(5)}, {numBlocks: 8 * s}]],
  SparseTranspose: (wild, s) => [
    [{columnIndices: wild(5 * s), rowIndices: wild(5 * s)}, {blockColumns: 3}],
  ],
  SparseToDense: (wild, s) => {
    const {size, values} = sparseMatrix(s);
    return [[{values, rowIndices: wild(5), columnIndices: wild(5)}, size]];
  },
  DenseToSparse: (wild, s) => {
    const {size} = sparseMatrix(s);
    const x = tf.ones([size.sparseRows, size.sparseColumns]);
    return [[{x, rowIndices: wild(5), columnIndices: wild(5)}, size]];
  },

  Embedding: (wild, s) => [[{table: tf.ones([6, 3 * s]), indices: wild(9)}]],
  EmbeddingGrad: (wild, s) => [[{dy: tf.ones([9, 3 * s]), indices: wild(9)}, {vocabSize: 6}]],
  SparseSoftmaxCrossEntropy: (wild, s) => [[{logits: tf.ones([6, 3 * s]), labels: wild(6)}]],
  SparseSoftmaxCrossEntropyGrad: (wild, s) => [
    [{logits: tf.ones([6, 3 * s]), labels: wild(6), logSums: tf.ones([6]), dy: tf.ones([6])}],
  ],
};

/** What other backends compute of several kernels. */
const NATIVE = ['GroupedMlp', 'GroupedMlpGrad'];

interface Rows {
  /** The shape of the tokens, and of the rows in the layout. */
  tokens: number[];
  routed: number[];
  weights: tf.Tensor;
}

/** Calls in every layout, with one copy of each token and with two. */
function permutationCalls(inputsOf: (rows: Rows) => Inputs) {
  return (wild: Wild, s: number) =>
    ['packed', 'padded', 'binned'].flatMap((layout) =>
      [1, 2].map((topK): Call => {
        const [copies, numRows, hiddenSize] = [6 * s, 9 * s, 3 * s];
        const index: Record<keyof PermutationIndex, tf.Tensor> = {
          indices: wild(copies),
          bins: wild(4),
          paddedBins: wild(4),
        };
        const rows = {
          tokens: [copies / topK, hiddenSize],
          routed: layout === 'binned' ? [4, numRows, hiddenSize] : [numRows, hiddenSize],
          weights: tf.ones([copies]),
        };
        return [
          {...inputsOf(rows), ...index},
          {layout, topK, numRows},
        ];
      }),
    );
}

/** Calls with one copy of each token and with two, in an order that is a permutation, and in one that is none. */
function groupedMlpCalls(wild: Wild, s: number): Call[] {
  const copies = 6 * s;
  const matrices = tf.ones([4, 5 * s, 3 * s]);
  const permutation = tf.reverse(tf.range(0, copies, 1, 'int32'));
  return [permutation, wild(copies)].flatMap((indices) =>
    [1, 2].map((topK): Call => {
      const x = tf.ones([copies / topK, 3 * s]);
      const weights = {expertWeights: tf.ones([copies]), w1: matrices, w2: matrices};
      return [
        {x, ...weights, indices, bins: wild(4)},
        {activation: 'gelu', topK},
      ];
    }),
  );
}

/** 2 x 3 blocks, of which 5 are there. */
function sparseMatrix(s: number) {
  const blockSize = 2 * s;
  const size = {sparseRows: 2 * blockSize, sparseColumns: 3 * blockSize, blockSize};
  return {size, values: tf.ones([5, blockSize, blockSize])};
}

/** Calls with every operand as it is and transposed, of which one may be the sparse matrix. */
function sparseProductCalls(
  inputsOf: (operands: Record<'a' | 'b' | 'values', tf.Tensor>) => Inputs,
  sparse?: 'a' | 'b',
) {
  return (wild: Wild, s: number) =>
    [false, true].flatMap((transposeA) =>
      [false, true].map((transposeB): Call => {
        const {size, values} = sparseMatrix(s);
        const {sparseRows: rows, sparseColumns: columns} = size;
        const index: Record<keyof SparseIndex, tf.Tensor> = {
          rowIndices: wild(5),
          columnIndices: wild(5),
          offsets: wild(3),
          columnIndicesT: wild(5),
          offsetsT: wild(4),
          blockOffsetsT: wild(5),
        };
        // The shape of the product's operands: those of sdd, or beside the sparse matrix.
        const inner = 3 * s;
        const outerA = sparse === 'b' ? inner : rows;
        const innerA = sparse === 'b' ? (transposeB ? columns : rows) : inner;
        const innerB = sparse === 'a' ? (transposeA ? rows : columns) : inner;
        const outerB = sparse === 'a' ? inner : columns;
        const a = tf.ones(transposeA ? [innerA, outerA] : [outerA, innerA]);
        const b = tf.ones(transposeB ? [outerB, innerB] : [innerB, outerB]);
        return [
          {...inputsOf({a, b, values}), ...index},
          {...size, transposeA, transposeB},
        ];
      }),
    );
}

test('every TensorFlow op that takes indices is called', () => {
  const source = readFileSync(join(dirname(__dirname), 'native/ops/ops.cc'), 'utf8');
  const ops = [...source.matchAll(/\{"(\w+)",\s*\{([^}]*)\}/g)]
    .filter(([, , inputs]) => inputs.includes('int32'))
    .map(([, name]) => name);
  expect(Object.keys(CALLS).sort()).toEqual(ops.sort());
});

/** Runs a kernel; it may refuse an order that is no permutation. */
function run(name: string, [inputs, attrs]: Call): tf.Tensor[] {
  try {
    return [runKernel(`MegaBlocks${name}`, inputs, attrs)].flat();
  } catch (error) {
    expect((error as Error).message).toMatch(/indices must hold each copy once/);
    return [];
  }
}

describeEachBackend('wild indices', (backendName) => {
  // TensorFlow's ops are native code, in which an access out of bounds ends the process.
  const isNative = backendName === 'tensorflow';
  const sizes: [string, number, number][] = isNative
    ? [
        ['small', 1, 50],
        ['of whole tiles', 64, 4],
      ]
    : [['small', 1, 3]];
  describe.each(sizes)('%s', (_, scale, rounds) => {
    const names = Object.keys(CALLS).filter((name) => isNative || !NATIVE.includes(name));
    test.each(names)('%s stays within bounds', async (name) => {
      for (let round = 0; round < rounds; round++) {
        const outputs = tf.tidy(() =>
          CALLS[name](wildIn(round), scale).flatMap((call) => run(name, call)),
        );
        await Promise.all(outputs.map((output) => output.data()));
        tf.dispose(outputs);
      }
      expectClose(tf.add([1], [1]), [2]);
    });
  });
});
