import * as tf from '@tensorflow/tfjs';
import {
  activation,
  adamW,
  binnedGather,
  binnedScatter,
  causalAttention,
  dds,
  dsd,
  embedding,
  exclusiveCumsum,
  gather,
  globalNorm,
  groupedMatMul,
  groupedMlp,
  histogram,
  inclusiveCumsum,
  layerNorm,
  paddedBins,
  paddedGather,
  paddedRowCount,
  paddedScatter,
  replicate,
  roundUp,
  rowIndices,
  scatter,
  sdd,
  softmax,
  sort,
  SparseMatrix,
  SparseTopology,
  sparseSoftmaxCrossEntropy,
  toDense,
  topK as selectTopK,
  topology,
  toSparse,
  useFastMatMul,
} from '../../src/index';
import {ACTIVATION_NAMES, type Precision} from '../../src/kernel_names';
import {random} from '../random';
import {randomInts} from '../routing';
import {exponentialTolerance} from '../settings';
import {
  type Change,
  type Choices,
  family,
  integers,
  numbers,
  type RandomCase,
  type Results,
  valueAndGradients,
} from './random_cases';

// Every family of kernels on random shapes and on a few that are large, against the same on cpu.

/** How large a sum of `depth` products of numbers in [-1, 1) is. */
const sumOf = (depth: number) => Math.sqrt(depth) / 3;

// Routing: all integers, which must be equal.

const sortCase = (size: number, endBit: number, max: number): RandomCase => ({
  sizes: {size, endBit, max},
  tolerance: 0,
  run: () => {
    const [sorted, permutation] = sort(integers([size], 0, max, 1), endBit);
    return {sorted, permutation};
  },
});

family(
  'sort',
  (choose) => {
    const bits = choose.integer(1, 31);
    const endBit = choose.yes() ? bits : choose.integer(1, 32);
    return sortCase(choose.size(20000), endBit, 2 ** bits);
  },
  {special: [sortCase(0, 32, 2), sortCase(65536 * 8, 6, 64), sortCase(65536 * 8, 32, 2 ** 31)]},
);

const countsCase = (batch: number | null, size: number, max: number): RandomCase => ({
  sizes: {batch, size, max},
  tolerance: 0,
  run: () => {
    const x = integers<tf.Tensor1D>(batch == null ? [size] : [batch, size], -1, max + 2, 1);
    const sums = {inclusive: inclusiveCumsum(x), exclusive: exclusiveCumsum(x)};
    return {counts: histogram(x, max), ...sums, rounded: roundUp(tf.abs(x), 1 + (size % 130))};
  },
});

family(
  'histogram, cumsum and roundUp',
  (choose) => {
    const batch = choose.yes() ? null : choose.size(40);
    return countsCase(batch, choose.size(batch == null ? 20000 : 2000), choose.size(500));
  },
  {
    special: [
      countsCase(null, 65536 * 8, 64),
      countsCase(null, 65536 * 8, 5000),
      countsCase(70000, 8, 16),
    ],
  },
);

/** The routing of random experts, some of which get nothing. */
function randomBins(tokens: number, numExperts: number, topK: number, blockSize: number) {
  const drawn = randomInts(tokens * topK, 0, numExperts, 5);
  const experts = tf.tensor1d(
    drawn.map((expert) => (expert % 3 === 2 ? 0 : expert)),
    'int32',
  );
  const [binIds, indices] = sort(experts);
  const tokensPerExpert = histogram(experts, numExperts);
  const bins = inclusiveCumsum(tokensPerExpert);
  return {indices, binIds, bins, paddedEnds: paddedBins(tokensPerExpert, blockSize)};
}

/** The topology of a dMoE; its last block-rows may be unused. */
function dmoeTopology(
  paddedEnds: tf.Tensor1D,
  rows: number,
  numExperts: number,
  blockSize: number,
  blocksPerRow: number,
): SparseTopology {
  const blockRows = rows / blockSize;
  const offsets = Array.from({length: blockRows + 1}, (_, i) => i * blocksPerRow);
  return SparseTopology.from({
    shape: [rows, numExperts * blocksPerRow * blockSize],
    blockSize,
    columnIndices: topology(paddedEnds, blockSize, blockRows, blocksPerRow),
    offsets: tf.tensor1d(offsets, 'int32'),
  });
}

const topologyCase = (
  tokens: number,
  numExperts: number,
  topK: number,
  blockSize: number,
  blocksPerRow: number,
): RandomCase => ({
  sizes: {tokens, numExperts, topK, blockSize, blocksPerRow},
  tolerance: 0,
  run: () => {
    const {indices, bins, paddedEnds} = randomBins(tokens, numExperts, topK, blockSize);
    const rows = paddedRowCount(tokens * topK, numExperts, blockSize);
    const {columnIndices, columnIndicesT, offsets, offsetsT, blockOffsetsT} = dmoeTopology(
      paddedEnds,
      rows,
      numExperts,
      blockSize,
      blocksPerRow,
    );
    return {
      indices,
      bins,
      paddedEnds,
      columnIndices,
      columnIndicesT,
      offsetsT,
      blockOffsetsT,
      rows: rowIndices(offsets, columnIndices.size),
      copies: replicate(integers<tf.Tensor1D>([numExperts], -9, 9, 3), bins, tokens * topK),
    };
  },
});

family(
  'topology and replicate',
  (choose) =>
    topologyCase(
      choose.size(2000),
      choose.size(70),
      choose.integer(1, 4),
      choose.of(1, 4, 7, 16, 32, 128),
      choose.size(40),
    ),
  {special: [topologyCase(65536, 64, 2, 128, 16), topologyCase(65536, 512, 2, 128, 4)]},
);

const topKCase = (rows: number, columns: number, k: number, ties: boolean): RandomCase => ({
  sizes: {rows, columns, k, ties},
  tolerance: 0,
  run: () => {
    const drawn = numbers<tf.Tensor2D>([rows, columns], 1);
    const x = ties ? tf.floor(tf.mul(drawn, 3)) : drawn;
    return {
      indices: selectTopK(x as tf.Tensor2D, k).indices,
      ...valueAndGradients((v) => selectTopK(v as tf.Tensor2D, k).values, {x}),
    };
  },
});

family(
  'topK',
  (choose) => {
    const columns = choose.size(300);
    return topKCase(
      choose.size(2000),
      columns,
      choose.integer(1, Math.min(columns, 10)),
      choose.yes(),
    );
  },
  {
    special: [
      topKCase(65536, 64, 8, false),
      topKCase(70000, 5, 2, true),
      topKCase(3, 5000, 4, true),
    ],
  },
);

// Permutation.

type LayoutName = 'packed' | 'padded' | 'binned';

const permutationCase = (
  layout: LayoutName,
  {
    tokens,
    numExperts,
    topK,
    hiddenSize,
  }: Record<'tokens' | 'numExperts' | 'topK' | 'hiddenSize', number>,
  size: number,
): RandomCase => ({
  sizes: {layout, tokens, numExperts, topK, hiddenSize, size},
  tolerance: 1e-6,
  scale: sumOf(hiddenSize),
  run: () => {
    const {indices, binIds, bins, paddedEnds} = randomBins(tokens, numExperts, topK, size);
    const numRows = paddedRowCount(tokens * topK, numExperts, size);
    const layouts = {
      packed: {
        shape: [tokens * topK, hiddenSize],
        gather: (x: tf.Tensor) => gather(x as tf.Tensor2D, indices, binIds, bins, topK),
        scatter: (x: tf.Tensor, weights: tf.Tensor1D | null) =>
          scatter(x as tf.Tensor2D, indices, binIds, weights, bins, topK),
      },
      padded: {
        shape: [numRows, hiddenSize],
        gather: (x: tf.Tensor) =>
          paddedGather(x as tf.Tensor2D, indices, binIds, bins, paddedEnds, topK, size),
        scatter: (x: tf.Tensor, weights: tf.Tensor1D | null) =>
          paddedScatter(x as tf.Tensor2D, indices, binIds, weights, bins, paddedEnds, topK),
      },
      binned: {
        shape: [numExperts, size, hiddenSize],
        gather: (x: tf.Tensor) => binnedGather(x as tf.Tensor2D, indices, bins, size, topK),
        scatter: (x: tf.Tensor, weights: tf.Tensor1D | null) =>
          binnedScatter(x as tf.Tensor3D, indices, weights, bins, topK),
      },
    };
    const {shape, gather: gatherRows, scatter: scatterRows} = layouts[layout];
    const x = numbers([tokens, hiddenSize], 1);
    const rows = numbers(shape, 2);
    const weights = numbers([tokens * topK], 3);
    const named = (name: string, results: Results) =>
      Object.fromEntries(Object.entries(results).map(([key, y]) => [`${name}: ${key}`, y]));
    return {
      ...named('gather', valueAndGradients(gatherRows, {x})),
      ...named(
        'scatter',
        valueAndGradients((v) => scatterRows(v, null), {rows}),
      ),
      ...named(
        'weighted scatter',
        valueAndGradients((v, w) => scatterRows(v, w as tf.Tensor1D), {rows, weights}),
      ),
    };
  },
});

for (const layout of ['packed', 'padded', 'binned'] as const) {
  family(
    `permutation, ${layout}`,
    (choose) =>
      permutationCase(
        layout,
        {
          tokens: choose.size(300),
          numExperts: choose.size(40),
          topK: choose.integer(1, 4),
          hiddenSize: choose.size(200),
        },
        layout === 'padded' ? choose.of(1, 3, 4, 16, 32) : choose.size(40),
      ),
    {
      special: [
        permutationCase(layout, {tokens: 70000, numExperts: 8, topK: 1, hiddenSize: 4}, 16),
        permutationCase(layout, {tokens: 36000, numExperts: 64, topK: 2, hiddenSize: 5}, 600),
        permutationCase(layout, {tokens: 64, numExperts: 4, topK: 2, hiddenSize: 8192}, 16),
      ],
    },
  );
}

// Products.

type Form = 'rows' | 'rows, transposed matrices' | 'gradient of matrices';

/** Bins of very unequal sizes, some empty; the last may end before the rows do. */
function unequalBins(numRows: number, numGroups: number, kind: string): tf.Tensor1D {
  const used = kind === 'short' ? Math.floor(numRows / 2) : numRows;
  const ends = randomInts(numGroups, 0, used + 1, 4).sort((a, b) => a - b);
  if (kind === 'one') {
    ends.fill(used, Math.floor(numGroups / 2)).fill(0, 0, Math.floor(numGroups / 2));
  } else if (kind !== 'short') {
    ends[numGroups - 1] = used;
  }
  return tf.tensor1d(ends, 'int32');
}

interface GroupedSizes {
  form: Form;
  numRows: number;
  numGroups: number;
  inner: number;
  columns: number;
  kind: string;
}

function groupedProduct(
  {form, numRows, numGroups, inner, columns, kind}: GroupedSizes,
  changeA?: Change,
  changeB?: Change,
  precision?: Precision,
): Results {
  const bins = unequalBins(numRows, numGroups, kind);
  const a = numbers<tf.Tensor2D>([numRows, inner], 1, changeA);
  if (form === 'gradient of matrices') {
    const b = numbers<tf.Tensor2D>([numRows, columns], 2, changeB);
    return {y: groupedMatMul(a, b, bins, {transposeA: true, precision})};
  }
  const transposeB = form === 'rows, transposed matrices';
  const shape = transposeB ? [numGroups, columns, inner] : [numGroups, inner, columns];
  const b = numbers<tf.Tensor3D>(shape, 2, changeB);
  return {y: groupedMatMul(a, b, bins, {transposeB, precision})};
}

/** How many products a sum has. */
function groupedDepth({form, numRows, inner}: GroupedSizes): number {
  return form === 'gradient of matrices' ? numRows : inner;
}

const groupedCase = (sizes: GroupedSizes): RandomCase => ({
  sizes: {...sizes},
  scale: sumOf(groupedDepth(sizes)),
  run: () => groupedProduct(sizes),
});

const FORMS: Form[] = ['rows', 'rows, transposed matrices', 'gradient of matrices'];

for (const form of FORMS) {
  const special = {form, kind: 'spread'};
  family(
    `groupedMatMul, ${form}`,
    (choose) =>
      groupedCase({
        form,
        numRows: choose.integer(0, 30) === 0 ? 0 : choose.size(700),
        numGroups: choose.size(20),
        inner: choose.size(300),
        columns: choose.size(300),
        kind: choose.of('spread', 'one', 'short'),
      }),
    {
      special: [
        groupedCase({...special, numRows: 70000, numGroups: 16, inner: 12, columns: 20}),
        groupedCase({...special, numRows: 3000, numGroups: 700, inner: 36, columns: 28}),
        groupedCase({...special, numRows: 513, numGroups: 3, inner: 1030, columns: 515}),
        groupedCase({...special, numRows: 1024, numGroups: 4, inner: 512, columns: 512}),
      ],
    },
  );
}

family('groupedMlp', (choose) => {
  const [tokens, numExperts, topK] = [choose.size(200), choose.size(12), choose.integer(1, 3)];
  const [hiddenSize, ffnHiddenSize] = [choose.size(160), choose.size(160)];
  const isGlu = choose.yes();
  // Where relu bends, what rounds to the other side has another gradient.
  const name = choose.of(...ACTIVATION_NAMES.filter((name) => name !== 'relu'));
  return {
    sizes: {tokens, numExperts, topK, hiddenSize, ffnHiddenSize, isGlu, name},
    tolerance: 5e-5,
    scale: 0.1,
    run: () => {
      const {indices, binIds, bins} = randomBins(tokens, numExperts, topK, 1);
      const shape = [numExperts, ffnHiddenSize, hiddenSize];
      const matrices = (seed: number, inner: number) =>
        tf.div<tf.Tensor3D>(numbers(shape, seed), Math.sqrt(inner));
      return valueAndGradients(
        (x, weights, w1, w2, v1?) =>
          groupedMlp(
            x as tf.Tensor2D,
            {w1: w1 as tf.Tensor3D, w2: w2 as tf.Tensor3D, v1: v1 as tf.Tensor3D | undefined},
            weights as tf.Tensor1D,
            {indices, binIds, bins, topK},
            {activation: name},
          ),
        {
          x: numbers([tokens, hiddenSize], 1),
          weights: numbers([tokens * topK], 2),
          w1: matrices(3, hiddenSize),
          w2: matrices(4, ffnHiddenSize),
          ...(isGlu && {v1: matrices(5, hiddenSize)}),
        },
      );
    },
  };
});

interface SparseSizes {
  blockRows: number;
  blockColumns: number;
  blockSize: number;
  /** The size of the dense operand that is not summed over, or that is, for sdd. */
  dense: number;
  density: number;
  transposeA: boolean;
  transposeB: boolean;
}

function randomTopology({blockRows, blockColumns, blockSize, density}: SparseSizes) {
  const chances = random(blockRows * blockColumns, 7);
  const shape = [blockRows * blockSize, blockColumns * blockSize] as const;
  return SparseTopology.where(
    shape,
    blockSize,
    (i, j) => (chances[i * blockColumns + j] + 1) / 2 < density,
  );
}

type SparseProduct = 'sdd' | 'dsd' | 'dds';

function sparseProduct(
  product: SparseProduct,
  sizes: SparseSizes,
  places: SparseTopology,
  changeA?: Change,
  changeB?: Change,
  precision?: Precision,
): tf.Tensor {
  const {dense, transposeA, transposeB} = sizes;
  const [rows, columns] = places.shape;
  const matrix = (
    shape: [number, number],
    transposed: boolean,
    seed: number,
    change: Change | undefined,
  ) => numbers<tf.Tensor2D>(transposed ? [shape[1], shape[0]] : shape, seed, change);
  const sparse = (transposed: boolean, change: Change | undefined) => {
    const {numBlocks, blockSize} = places;
    const values = numbers<tf.Tensor3D>([numBlocks, blockSize, blockSize], 3, change);
    return new SparseMatrix(places, values, transposed);
  };
  switch (product) {
    case 'sdd': {
      const a = matrix([rows, dense], transposeA, 1, changeA);
      const b = matrix([dense, columns], transposeB, 2, changeB);
      return sdd(a, b, places, {transposeA, transposeB, precision}).values;
    }
    case 'dsd': {
      const b = matrix([transposeA ? rows : columns, dense], transposeB, 2, changeB);
      return dsd(sparse(transposeA, changeA), b, {transposeB, precision});
    }
    case 'dds': {
      const a = matrix([dense, transposeB ? columns : rows], transposeA, 1, changeA);
      return dds(a, sparse(transposeB, changeB), {transposeA, precision});
    }
  }
}

const sparseCase = (product: SparseProduct, sizes: SparseSizes): RandomCase => ({
  sizes: {...sizes},
  scale: sumOf(product === 'sdd' ? sizes.dense : sizes.blockSize),
  run: () => ({y: sparseProduct(product, sizes, randomTopology(sizes))}),
});

const BLOCK_SIZES = [1, 2, 3, 4, 5, 8, 12, 16, 20, 32, 48, 64, 96, 100, 128];

function chooseSparseSizes(choose: Choices): SparseSizes {
  const blockSize = choose.of(...BLOCK_SIZES);
  const most = Math.max(2, Math.floor(300 / blockSize));
  return {
    blockSize,
    blockRows: choose.integer(1, most),
    blockColumns: choose.integer(1, most),
    dense: choose.size(200),
    density: choose.of(0, 0.1, 0.3, 0.7, 1),
    transposeA: choose.yes(),
    transposeB: choose.yes(),
  };
}

for (const product of ['sdd', 'dsd', 'dds'] as const) {
  const flags = {transposeA: false, transposeB: false};
  family(product, (choose) => sparseCase(product, chooseSparseSizes(choose)), {
    special: [
      sparseCase(product, {
        blockRows: 400,
        blockColumns: 400,
        blockSize: 1,
        dense: 9,
        density: 0.5,
        ...flags,
      }),
      sparseCase(product, {
        blockRows: 4,
        blockColumns: 5,
        blockSize: 128,
        dense: 700,
        density: 0.5,
        ...flags,
      }),
      sparseCase(product, {
        blockRows: 5,
        blockColumns: 4,
        blockSize: 128,
        dense: 256,
        density: 0.5,
        transposeA: true,
        transposeB: true,
      }),
    ],
  });
}

family('the products of a sparse dMoE', (choose) => {
  const [tokens, numExperts, topK] = [choose.size(200), choose.size(9), choose.integer(1, 2)];
  const [blockSize, blocksPerRow] = [choose.of(4, 8, 16, 32, 128), choose.integer(1, 3)];
  const hiddenSize = choose.size(100);
  return {
    sizes: {tokens, numExperts, topK, blockSize, blocksPerRow, hiddenSize},
    scale: sumOf(Math.min(hiddenSize, blocksPerRow * blockSize)),
    run: () => {
      const {paddedEnds} = randomBins(tokens, numExperts, topK, blockSize);
      const rows = paddedRowCount(tokens * topK, numExperts, blockSize);
      const places = dmoeTopology(paddedEnds, rows, numExperts, blockSize, blocksPerRow);
      const [, columns] = places.shape;
      const {numBlocks} = places;
      const x = numbers<tf.Tensor2D>([rows, hiddenSize], 1);
      const w = numbers<tf.Tensor2D>([columns, hiddenSize], 2);
      const values = numbers<tf.Tensor3D>([numBlocks, blockSize, blockSize], 3);
      const hidden = new SparseMatrix(places, values);
      return {
        sdd: sdd(x, w, places, {transposeB: true}).values,
        dsd: dsd(hidden, w),
        'transposed dsd': dsd(hidden.t(), x),
        dds: dds(x, hidden, {transposeA: true}),
        'transposed dds': dds(w, hidden.t(), {transposeA: true}),
        dense: toDense(hidden),
        'and back': toSparse(toDense(hidden), places).values,
      };
    },
  };
});

// Dense products.

const onCpu = () => tf.getBackend() === 'cpu';

/** With all leading axes written out for cpu, where tfjs broadcasts wrongly. */
function withBatch(x: tf.Tensor, batch: readonly number[]): tf.Tensor {
  const own = x.shape.slice(0, -2);
  const padded = [...batch.slice(own.length).map(() => 1), ...own];
  const expanded = tf.reshape(x, [...padded, ...x.shape.slice(-2)]);
  return onCpu() ? tf.tile(expanded, [...batch.map((size, i) => size / padded[i]), 1, 1]) : x;
}

/** tf.matMul's kernels of this library, for as long as the tests of a block run. */
function withFastMatMul() {
  const names = [tf.BatchMatMul, tf._FusedMatMul];
  let before: (tf.KernelConfig | undefined)[];
  beforeAll(() => {
    before = names.map((name) => tf.getKernel(name, 'webgpu'));
    expect(useFastMatMul()).toBe(true);
  });
  afterAll(() =>
    before.forEach((config) => {
      if (config != null) {
        tf.unregisterKernel(config.kernelName, 'webgpu');
        tf.registerKernel(config);
      }
    }),
  );
}

interface DenseSizes {
  batch: number[];
  /** The leading axes of each operand, which broadcast to those of the result. */
  batchA: number[];
  batchB: number[];
  rows: number;
  depth: number;
  columns: number;
  transposeA: boolean;
  transposeB: boolean;
}

function denseOperands(
  {batch, batchA, batchB, rows, depth, columns, transposeA, transposeB}: DenseSizes,
  changeA?: Change,
  changeB?: Change,
) {
  const a = numbers([...batchA, ...(transposeA ? [depth, rows] : [rows, depth])], 1, changeA);
  const b = numbers([...batchB, ...(transposeB ? [columns, depth] : [depth, columns])], 2, changeB);
  return {a: withBatch(a, batch), b: withBatch(b, batch)};
}

const denseCase = (sizes: DenseSizes): RandomCase => ({
  sizes: {...sizes},
  scale: sumOf(sizes.depth),
  run: () => {
    const {a, b} = denseOperands(sizes);
    return {y: tf.matMul(a, b, sizes.transposeA, sizes.transposeB)};
  },
});

const FUSED_ACTIVATIONS = [
  'linear',
  'relu',
  'relu6',
  'elu',
  'sigmoid',
  'leakyrelu',
  'prelu',
] as const;

function chooseDenseSizes(choose: Choices): DenseSizes {
  const batch = Array.from({length: choose.of(0, 0, 1, 2)}, () => choose.integer(1, 4));
  // An operand may lack leading axes, and have 1 of others.
  const some = () =>
    batch.slice(choose.integer(0, batch.length)).map((size) => (choose.yes() ? size : 1));
  const [batchA, batchB] = choose.yes() ? [batch, some()] : [some(), batch];
  const most = batch.length === 0 ? 400 : 130;
  return {
    batch,
    batchA,
    batchB,
    rows: choose.size(most),
    depth: choose.size(most),
    columns: choose.size(most),
    transposeA: choose.yes(),
    transposeB: choose.yes(),
  };
}

const PLAIN = {batch: [], batchA: [], batchB: [], transposeA: false, transposeB: false};
const MANY = {batch: [70000], batchA: [70000], batchB: [70000]};

family('matMul', (choose) => denseCase(chooseDenseSizes(choose)), {
  hooks: withFastMatMul,
  backends: ['webgpu'],
  special: [
    denseCase({...PLAIN, ...MANY, rows: 3, depth: 4, columns: 5}),
    denseCase({...PLAIN, rows: 5, depth: 70000, columns: 7}),
    denseCase({...PLAIN, rows: 5, depth: 70000, columns: 8, transposeA: true}),
    denseCase({...PLAIN, rows: 70000, depth: 8, columns: 12, transposeB: true}),
    denseCase({...PLAIN, rows: 70000, depth: 36, columns: 64, transposeB: true}),
    denseCase({...PLAIN, rows: 70001, depth: 37, columns: 61}),
    denseCase({...PLAIN, rows: 515, depth: 1030, columns: 513}),
    denseCase({...PLAIN, rows: 512, depth: 1024, columns: 512, transposeA: true}),
  ],
});

family(
  'fused matMul',
  (choose) => {
    const chosen = chooseDenseSizes(choose);
    // tf.fused.matMul refuses matrices whose leading axes differ.
    const sizes = {...chosen, batchA: chosen.batch, batchB: chosen.batch};
    const name = choose.of(...FUSED_ACTIVATIONS);
    const hasBias = choose.yes();
    const oneSlope = choose.yes();
    const {columns, depth} = sizes;
    return {
      sizes: {...sizes, activation: name, hasBias, oneSlope},
      scale: sumOf(depth),
      run: () => ({
        y: tf.fused.matMul({
          ...denseOperands(sizes),
          transposeA: sizes.transposeA,
          transposeB: sizes.transposeB,
          bias: hasBias ? numbers([columns], 3) : undefined,
          activation: name,
          preluActivationWeights:
            name === 'prelu' ? numbers(oneSlope ? [1] : [columns], 4) : undefined,
          leakyreluAlpha: 0.1,
        }),
      }),
    };
  },
  {hooks: withFastMatMul, backends: ['webgpu']},
);

// What transformers need.

const layerNormCase = (rows: number, size: number): RandomCase => ({
  sizes: {rows, size},
  // Of few elements, the gradient is a small difference of large terms; of two, only epsilon keeps it from zero.
  ...(size < 8 ? {tolerance: 1e-3, scale: 0.01} : {tolerance: 5e-5}),
  run: () =>
    valueAndGradients((x, gamma, beta) => layerNorm(x, gamma as tf.Tensor1D, beta as tf.Tensor1D), {
      x: numbers([rows, size], 1),
      gamma: numbers([size], 2),
      beta: numbers([size], 3),
    }),
});

family('layerNorm', (choose) => layerNormCase(choose.size(500), 1 + choose.size(1500)), {
  special: [layerNormCase(70000, 8), layerNormCase(3, 20000), layerNormCase(4096, 768)],
});

const softmaxCase = (rows: number, size: number): RandomCase => ({
  sizes: {rows, size},
  tolerance: 2e-5,
  // One column has no gradient: what is left of it is rounding.
  scale: 0.01,
  run: () => valueAndGradients(softmax, {logits: tf.mul(5, numbers([rows, size], 1))}),
});

family('softmax', (choose) => softmaxCase(choose.size(500), choose.size(1500)), {
  special: [softmaxCase(70000, 64), softmaxCase(3, 20000)],
});

const sumsCase = (rows: number, size: number): RandomCase => ({
  sizes: {rows, size},
  scale: sumOf(Math.max(rows, size)),
  run: () => {
    const x = numbers([rows, size], 1);
    return {columns: tf.sum(x, 0), rows: tf.sum(x, 1)};
  },
});

family('sums over axes', (choose) => sumsCase(choose.size(3000), choose.size(600)), {
  special: [sumsCase(200000, 3), sumsCase(200000, 64), sumsCase(3, 100000)],
  hooks: withFastMatMul,
  backends: ['webgpu'],
});

family('globalNorm', (choose) => {
  const sizes = Array.from({length: choose.integer(1, 20)}, () => choose.size(40000));
  return {
    sizes: {sizes: sizes.join()},
    run: () => ({y: globalNorm(sizes.map((size, i) => numbers([size], i)))}),
  };
});

const attentionCase = (
  batch: number,
  length: number,
  numHeads: number,
  headSize: number,
): RandomCase => ({
  sizes: {batch, length, numHeads, headSize},
  tolerance: Math.max(5e-5, exponentialTolerance(16)),
  run: () =>
    valueAndGradients((qkv) => causalAttention(qkv as tf.Tensor3D, numHeads), {
      qkv: tf.mul(2, numbers([batch, length, 3 * numHeads * headSize], 1)),
    }),
});

family(
  'causalAttention',
  (choose) =>
    attentionCase(choose.integer(1, 3), choose.size(200), choose.integer(1, 4), choose.size(80)),
  {
    special: [
      attentionCase(1, 1024, 2, 64),
      attentionCase(300, 8, 8, 4),
      attentionCase(1, 70, 1, 256),
    ],
  },
);

const crossEntropyCase = (rows: number, vocabSize: number): RandomCase => ({
  sizes: {rows, vocabSize},
  tolerance: 2e-5,
  run: () => {
    const labels = integers([rows], 0, vocabSize, 2);
    return valueAndGradients((logits) => sparseSoftmaxCrossEntropy(labels, logits), {
      logits: tf.mul(5, numbers([rows, vocabSize], 1)),
    });
  },
});

family(
  'sparseSoftmaxCrossEntropy',
  (choose) => crossEntropyCase(choose.size(400), choose.size(2000)),
  {
    special: [crossEntropyCase(70000, 5), crossEntropyCase(64, 50257)],
  },
);

const activationCase = (name: (typeof ACTIVATION_NAMES)[number], size: number): RandomCase => ({
  sizes: {name, size},
  run: () => valueAndGradients((x) => activation(x, name), {x: tf.mul(6, numbers([size], 1))}),
});

family(
  'activation',
  (choose) => activationCase(choose.of(...ACTIVATION_NAMES), choose.size(20000)),
  {
    // 65535 workgroups of 64 vectors are 16776960 elements.
    special: ACTIVATION_NAMES.map((name) => activationCase(name, 16777216 + 260)),
  },
);

const embeddingCase = (vocabSize: number, hiddenSize: number, size: number): RandomCase => ({
  sizes: {vocabSize, hiddenSize, size},
  run: () => {
    // Some are out of range, and some rows are never read.
    const indices = integers([size], -1, Math.ceil(vocabSize / 2) + 1, 2);
    return valueAndGradients((table) => embedding(table as tf.Tensor2D, indices), {
      table: numbers([vocabSize, hiddenSize], 1),
    });
  },
});

family(
  'embedding',
  (choose) => embeddingCase(choose.size(500), choose.size(200), choose.size(1000)),
  {
    special: [
      embeddingCase(50257, 16, 8192),
      embeddingCase(3, 12, 70000),
      embeddingCase(70000, 3, 90),
    ],
  },
);

const adamWCase = (size: number, step: number, weightDecay: number): RandomCase => ({
  sizes: {size, step, weightDecay},
  run: () => {
    const [value, gradient, first] = [1, 2, 3].map((seed) => numbers([size], seed));
    const second = tf.abs(numbers([size], 4));
    const options = {learningRate: 0.01, step, weightDecay};
    const updated = adamW(value, gradient, first, second, options);
    return {value: updated[0], first: updated[1], second: updated[2]};
  },
});

family('adamW', (choose) => adamWCase(choose.size(20000), choose.size(1000), choose.of(0, 0.1)), {
  special: [adamWCase(16777216 + 260, 3, 0.1)],
});

// Magnitudes, in half precision where there is it: halves end at 65504 and 6e-8, float32 does not.

/** How operands are changed, and how large the products then are for those of numbers in [-1, 1). */
const MAGNITUDES: Record<string, [changeA: Change, changeB: Change, scale: number]> = {
  'a tiny, b huge': [times(1e-30), times(1e30), 1],
  'a huge, b tiny': [times(1e30), times(1e-30), 1],
  'a tiny': [times(1e-30), times(1), 1e-30],
  'b tiny': [times(1), times(1e-30), 1e-30],
  'a huge': [times(1e30), times(1), 1e30],
  'both small': [times(1e-15), times(1e-15), 1e-30],
  'both large': [times(1e15), times(1e15), 1e30],
  'a zero': [times(0), times(1), 0],
  'b zero': [times(1e30), times(0), 0],
  'a with NaN': [withOne(NaN), times(1), 1],
  'b with NaN': [times(1), withOne(NaN), 1],
};

function times(factor: number): Change {
  return (values) => values.map((value) => factor * value);
}

/** The element in the middle is another. */
function withOne(value: number): Change {
  return (values) => {
    values[values.length >> 1] = value;
    return values;
  };
}

/** What rounding both operands to halves may do to a product, relative to the largest. */
const HALVES = 3e-3;

interface Product {
  sizes: object;
  depth: number;
  run: (changeA: Change, changeB: Change) => tf.Tensor;
}

function magnitudeCase(choose: Choices, {sizes, depth, run}: Product): RandomCase {
  const magnitudes = choose.of(...Object.keys(MAGNITUDES));
  const [changeA, changeB, scale] = MAGNITUDES[magnitudes];
  return {
    sizes: {magnitudes, ...sizes},
    tolerance: HALVES,
    scale: scale * sumOf(depth),
    // What is in one matrix with a NaN is scaled as if it were nothing beside it.
    onlyNotFinite: magnitudes.includes('NaN'),
    run: () => ({y: run(changeA, changeB)}),
  };
}

family('magnitudes, groupedMatMul', (choose) => {
  const sizes: GroupedSizes = {
    form: choose.of(...FORMS),
    numRows: choose.size(200),
    numGroups: choose.size(4),
    inner: choose.size(200),
    columns: choose.size(200),
    kind: 'spread',
  };
  return magnitudeCase(choose, {
    sizes,
    depth: groupedDepth(sizes),
    run: (a, b) => groupedProduct(sizes, a, b, 'float16').y,
  });
});

for (const product of ['sdd', 'dsd', 'dds'] as const) {
  family(`magnitudes, ${product}`, (choose) => {
    const sizes = {...chooseSparseSizes(choose), density: 1};
    return magnitudeCase(choose, {
      sizes,
      depth: product === 'sdd' ? sizes.dense : sizes.blockSize,
      run: (a, b) => sparseProduct(product, sizes, randomTopology(sizes), a, b, 'float16'),
    });
  });
}

family(
  'magnitudes, matMul',
  (choose) => {
    const sizes = {...chooseDenseSizes(choose), batch: [], batchA: [], batchB: []};
    return magnitudeCase(choose, {
      sizes,
      depth: sizes.depth,
      run: (changeA, changeB) => {
        const {a, b} = denseOperands(sizes, changeA, changeB);
        return tf.matMul(a, b, sizes.transposeA, sizes.transposeB);
      },
    });
  },
  {hooks: withFastMatMul, backends: ['webgpu']},
);
