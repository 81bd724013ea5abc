import {spawnSync} from 'node:child_process';
import {readdirSync, readFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import * as tf from '@tensorflow/tfjs';
import * as megablocks from '../src/index';
import {
  Activation,
  ACTIVATION_NAMES,
  ActivationGrad,
  CausalAttention,
  GroupedMatMul,
  GroupedMlp,
  GroupedMlpGrad,
  Gather,
  LayerNorm,
  Sdd,
  Sort,
  TopKIndices,
} from '../src/kernel_names';
import {ACTIVATION_FUNCTIONS} from '../src/kernels/cpu/activation_functions';
import type {TensorFlowBackend} from '../src/kernels/tensorflow/tensorflow_util';
import {describeEachBackend} from './backends';
import {expectClose} from './close';
import {expectAsDense, type Numbers, sparseProducts, TRANSPOSES} from './sparse_products';

// What only this backend has: ops that TensorFlow calls, in native code. Whatever they are called with,
// the process stays alive and the next op works.

const root = dirname(__dirname);

describeEachBackend(
  'native ops',
  () => {
    const float = (...shape: number[]) => tf.zeros(shape);
    const int = (...values: number[]) => tf.tensor1d(values, 'int32');

    /** Runs an op past the checks of this library. */
    function execute(name: string, inputs: tf.Tensor[], attrs: Record<string, unknown> = {}) {
      const backend = tf.backend() as unknown as TensorFlowBackend;
      const types = {boolean: 'TF_ATTR_BOOL', number: 'TF_ATTR_INT', string: 'TF_ATTR_STRING'};
      const list = Object.entries(attrs).map(([name, value]) => ({
        name,
        type: backend.binding[types[typeof value as keyof typeof types]],
        value,
      }));
      const numOutputs = {[Sort]: 2, [GroupedMlp]: 2, [GroupedMlpGrad]: 4}[name] ?? 1;
      return backend.executeMultipleOutputs(name, list, inputs, numOutputs);
    }

    const plain = {transposeA: false, transposeB: false};
    const sparse = {...plain, sparseRows: 4, sparseColumns: 4, blockSize: 2};
    const experts = {activation: 'gelu', topK: 1};
    test.each<[string, string, () => tf.Tensor[], Record<string, unknown>, RegExp]>([
      [
        'a rank',
        GroupedMatMul,
        () => [float(4), float(1, 2, 3), int(4)],
        plain,
        /a must have shape \[\*,\*\], got \[4\]/,
      ],
      [
        'an inner size',
        GroupedMatMul,
        () => [float(4, 2), float(1, 3, 3), int(4)],
        plain,
        /b must have shape \[1,2,\*\], got \[1,3,3\]/,
      ],
      [
        'a number of bins',
        GroupedMatMul,
        () => [float(4, 2), float(1, 2, 3), int(2, 4)],
        plain,
        /b must have shape \[2,2,\*\]/,
      ],
      ['a dtype', GroupedMatMul, () => [float(4, 2), float(1, 2, 3), float(1)], plain, /int32/],
      ['no attribute', Sort, () => [int(1, 2)], {}, /endBit/],
      [
        'an attribute out of range',
        Sort,
        () => [int(1, 2)],
        {endBit: 33},
        /endBit must be from 1 to 32, got 33/,
      ],
      ['k', TopKIndices, () => [float(2, 3)], {k: 4}, /k must be from 0 to 3, got 4/],
      [
        'a word',
        Gather,
        () => [float(2, 3), int(0, 1), int(2), int(2)],
        {layout: 'loose', topK: 1, numRows: 2},
        /layout must be one of .*, got 'loose'/,
      ],
      [
        'a number of tokens',
        Gather,
        () => [float(5, 3), int(0, 1), int(2), int(2)],
        {layout: 'packed', topK: 1, numRows: 2},
        /x must have one row a token, 2/,
      ],
      [
        'heads',
        CausalAttention,
        () => [float(1, 2, 10)],
        {numHeads: 3},
        /qkv must have a last axis of a multiple of 3 numHeads/,
      ],
      [
        'a matrix of the experts',
        GroupedMlp,
        () => [float(4, 3), float(4), float(2, 5, 3), float(2, 3, 5), int(0, 1, 2, 3), int(2, 4)],
        experts,
        /w2 must have shape \[2,5,3\], got \[2,3,5\]/,
      ],
      [
        'a count of copies',
        GroupedMlp,
        () => [float(1, 3), float(3), float(1, 5, 3), float(1, 5, 3), int(0, 1, 2), int(3)],
        {...experts, topK: 2},
        /indices must have a multiple of topK elements, 2, got 3/,
      ],
      [
        'a size of blocks',
        Sdd,
        () => [
          float(4, 3),
          float(3, 4),
          int(0),
          int(0),
          int(0, 1, 1),
          int(0),
          int(0, 1, 1),
          int(0),
        ],
        {...sparse, blockSize: 3},
        /multiples of blockSize/,
      ],
    ])('refuse %s that does not fit', (_, name, inputs, attrs, message) => {
      tf.tidy(() => {
        let error: Error | undefined;
        try {
          execute(name, inputs(), attrs);
        } catch (caught) {
          error = caught as Error;
        }
        expect(error?.message).toMatch(message);
        expect(error?.message).toContain('MegaBlocks');
        expectClose(tf.matMul(tf.ones([2, 2]), tf.ones([2, 2])), [2, 2, 2, 2]);
      });
    });

    // Attributes are checked before inputs, of which so the dtypes alone matter.
    test.each<[string, string, Record<string, unknown>, Record<string, number>]>([
      [Sort, 'i', {}, {endBit: 1}],
      ['MegaBlocksHistogram', 'i', {}, {max: 0}],
      ['MegaBlocksRoundUp', 'i', {}, {multiple: 1}],
      ['MegaBlocksPaddedBins', 'i', {}, {blockSize: 1}],
      ['MegaBlocksReplicate', 'ii', {}, {numOutputs: 0}],
      [TopKIndices, 'f', {}, {k: 0}],
      ['MegaBlocksTakeAlongRows', 'fi', {}, {numColumns: 0}],
      ['MegaBlocksTakeAlongRowsGrad', 'fi', {}, {numColumns: 0}],
      [Gather, 'fiii', {layout: 'packed'}, {topK: 1, numRows: 0}],
      [GroupedMlp, 'ffffii', experts, {topK: 1}],
      ['MegaBlocksSparseToDense', 'fii', {}, {sparseRows: 0, sparseColumns: 0, blockSize: 1}],
      ['MegaBlocksTopology', 'i', {}, {blockSize: 1, blockRows: 0, blocksPerRow: 0}],
      ['MegaBlocksRowIndices', 'i', {}, {numBlocks: 0}],
      ['MegaBlocksSparseTranspose', 'ii', {}, {blockColumns: 0}],
      ['MegaBlocksEmbeddingGrad', 'fi', {}, {vocabSize: 0}],
      [CausalAttention, 'f', {}, {numHeads: 1}],
    ])('refuse a size of %s that is too small', (name, dtypes, attrs, least) => {
      tf.tidy(() => {
        const inputs = [...dtypes].map((dtype) => (dtype === 'f' ? float(1) : int(0)));
        for (const [attr, value] of Object.entries(least)) {
          const given = {...attrs, ...least, [attr]: value - 1};
          expect(() => execute(name, inputs, given)).toThrow(
            `${name}: ${attr} must be ${attr === 'endBit' ? 'from 1 to 32' : `at least ${value}`}, got ${value - 1}`,
          );
        }
      });
    });

    test.each(
      Array.from({length: 16}, (_, bits) => [4, 3, 5, 2].map((size, i) => (bits >> i) % 2 && size)),
    )('compute with %d tokens of size %d, %d inside, %d copies more', (T, H, F, more) => {
      tf.tidy(() => {
        const K = more + 1;
        const N = T * K;
        const indices = tf.range(0, N, 1, 'int32');
        const none = tf.zeros([T, F], 'int32');
        const bins = int(N);
        const index = [indices, bins, bins];
        const permutation = {layout: 'packed', topK: K, numRows: N};
        const attrs = {...experts, topK: K};
        const [x, rows, weights, matrices] = [float(T, H), float(N, H), float(N), float(1, F, H)];
        const inputs = [x, weights, matrices, matrices, indices, bins];
        const [y, saved] = execute(GroupedMlp, inputs, attrs) as tf.Tensor[];
        expectClose(y, float(T, H));
        const gradients = execute(GroupedMlpGrad, [y, ...inputs, saved], attrs) as tf.Tensor[];
        [x, weights, matrices, matrices].forEach((input, i) => expectClose(gradients[i], input));
        const zeros: [string, tf.Tensor[], Record<string, unknown>, tf.Tensor][] = [
          [Gather, [x, ...index], permutation, rows],
          ['MegaBlocksWeightedScatter', [rows, ...index, weights], permutation, x],
          ['MegaBlocksScatterWeightsGrad', [rows, x, ...index], permutation, weights],
          [GroupedMatMul, [rows, matrices, bins], {...plain, transposeB: true}, float(N, F)],
          [GroupedMatMul, [float(N, F), rows, bins], {...plain, transposeA: true}, matrices],
          ['MegaBlocksEmbedding', [float(F, H), indices], {}, rows],
          ['MegaBlocksEmbeddingGrad', [rows, indices], {vocabSize: F}, float(F, H)],
          [CausalAttention, [float(F, T, 3 * H)], {numHeads: 1}, float(F, T, H)],
          ['MegaBlocksTakeAlongRows', [x, none], {numColumns: H}, float(T, F)],
          ['MegaBlocksTakeAlongRowsGrad', [float(T, F), none], {numColumns: H}, x],
          ['MegaBlocksReplicate', [x, tf.zeros([H], 'int32')], {numOutputs: F}, float(T, F)],
          ['MegaBlocksReplicateGrad', [x, tf.zeros([F], 'int32')], {}, float(T, F)],
          ['MegaBlocksCumsum', [none], {exclusive: false}, none],
        ];
        for (const [name, inputs, attrs, expected] of zeros) {
          expectClose(execute(name, inputs, attrs)[0] as tf.Tensor, expected, {name});
        }
      });
    });

    test('say that memory is out, and go on', () => {
      const attrs = {layout: 'packed', topK: 1, numRows: 2 ** 31 - 1};
      tf.tidy(() => {
        const inputs = [tf.zeros([2, 2 ** 20]), int(0, 1), int(2), int(2)];
        expect(() => execute(Gather, inputs, attrs)).toThrow(
          /MegaBlocksGather: out of memory for 9007199250546688 bytes: .*\[2147483647,1048576\]/,
        );
        expectClose(tf.add([1], [1]), [2]);
        expectClose(
          execute(Gather, inputs, {...attrs, numRows: 2})[0] as tf.Tensor,
          float(2, 2 ** 20),
        );
      });
    });

    test('normalize a row that no vector divides', () => {
      const x = tf.tensor2d([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17], [1, 17]);
      const backend = tf.backend() as unknown as TensorFlowBackend;
      const epsilon = {name: 'epsilon', type: backend.binding.TF_ATTR_FLOAT, value: 0};
      const inputs = [x, tf.ones([17]), tf.zeros([17])];
      const [y] = backend.executeMultipleOutputs(LayerNorm, [epsilon], inputs, 1) as tf.Tensor[];
      expectClose(
        y,
        Array.from({length: 17}, (_, i) => (i - 8) / Math.sqrt(24)),
      );
    });

    test.each(ACTIVATION_NAMES)('give %s and its derivative of x far out, too', (activation) => {
      // Of what float32 cannot square, the derivative of gelu_new is NaN.
      const most = activation === 'gelu_new' ? 1e18 : 3e38;
      const sizes = [20, 100, 1e4, 1e12, 1e18, 1e30, 3e38].filter((x) => x <= most);
      const all = [...sizes, ...sizes.map((x) => -x), Infinity, -Infinity, NaN];
      tf.tidy(() => {
        const x = tf.tensor1d(all);
        const [y] = execute(Activation, [x], {activation}) as tf.Tensor[];
        const [dx] = execute(ActivationGrad, [x, tf.onesLike(x)], {activation}) as tf.Tensor[];
        const {apply, derivative} = ACTIVATION_FUNCTIONS[activation];
        expectClose(
          tf.div(y, tf.abs(x)),
          all.map((x) => apply(x) / Math.abs(x)),
        );
        expectClose(dx, all.map(derivative));
      });
    });

    /** Runs a program in a process of its own; what it printed. */
    function runNode(program: string, env: NodeJS.ProcessEnv = {}) {
      const {stdout, stderr, status} = spawnSync(process.execPath, ['--eval', program], {
        cwd: root,
        encoding: 'utf8',
        env: {...process.env, ...env},
      });
      expect({status, stderr: status === 0 ? '' : stderr}).toEqual({status: 0, stderr: ''});
      return stdout.trim();
    }

    test('bring back what Node.js 23 removed and tfjs-node calls', () => {
      const program = `
        const util = require('node:util');
        delete util.isNullOrUndefined;
        delete util.isArray;
        const native = require('./native/index.cjs').loadNative();
        const tf = require(native.package);
        console.log(tf.concat([tf.add([1], [1]), tf.split(tf.tensor1d([3, 4]), 2)[1]]).arraySync());`;
      expect(runNode(program)).toBe('[ 2, 4 ]');
    });

    test('stay when the worker thread that loaded them has ended', () => {
      const program = `
        const {once} = require('node:events');
        const {Worker} = require('node:worker_threads');
        const thread = \`
          const native = require('./native/index.cjs').loadNative();
          const tf = require(native.package);
          const attrs = [{name: 'multiple', type: tf.backend().binding.TF_ATTR_INT, value: 4}];
          const x = tf.tensor1d([3, 5], 'int32');
          const y = tf.backend().executeSingleOutput('MegaBlocksRoundUp', attrs, [x]);
          require('node:worker_threads').parentPort.postMessage(y.arraySync());\`;
        async function main() {
          for (let i = 0; i < 2; i++) {
            const worker = new Worker(thread, {eval: true});
            const exit = once(worker, 'exit');
            console.log(...(await once(worker, 'message')), ...(await exit));
          }
        }
        void main();`;
      expect(runNode(program)).toBe('[ 4, 8 ] 0\n[ 4, 8 ] 0');
    });

    test.each(['avx512', 'avx2', 'baseline'])('give the same with the instructions %s', (name) => {
      const program = `
        const native = require('./native/index.cjs').loadNative();
        const tf = require(native.package);
        const backend = tf.backend();
        const attr = (name, value) => ({name, type: backend.binding.TF_ATTR_BOOL, value});
        // Small integers: float32 sums are exact, in whatever order.
        const iota = (...shape) => tf.reshape(tf.range(0, shape.reduce((x, y) => x * y)), shape);
        const values = (...shape) => tf.sub(tf.mod(tf.mul(iota(...shape), 7), 11), 5);
        const rows = 37;
        const bins = tf.tensor1d([13, 13, 37], 'int32');
        for (const [a, b, ta, tb] of [
          [values(rows, 45), values(3, 45, 51), false, false],
          [values(rows, 45), values(3, 51, 45), false, true],
          [values(rows, 45), values(rows, 51), true, false],
          // Too large for the caches, with rows on the boundaries of vectors and without.
          [values(rows, 1024), values(rows, 1536), true, false],
          [values(rows, 1100), values(rows, 1531), true, false],
        ]) {
          const attrs = [attr('transposeA', ta), attr('transposeB', tb)];
          const y = backend.executeSingleOutput('MegaBlocksGroupedMatMul', attrs, [a, b, bins]);
          const ranges = [[0, 13], [13, 0], [13, 24]];
          const parts = ranges.map(([begin, size], expert) =>
            ta
              ? tf.matMul(tf.slice(a, begin, size), tf.slice(b, begin, size), true)
              : tf.matMul(tf.slice(a, begin, size), tf.squeeze(tf.slice(b, expert, 1), [0]), false, tb));
          const expected = ta ? tf.stack(parts) : tf.concat(parts);
          if (tf.max(tf.abs(tf.sub(y, expected))).dataSync()[0] !== 0) throw new Error('they differ');
        }
        console.log(native.instructions);`;
      const found = runNode(program, {MEGABLOCKS_SIMD: name, MEGABLOCKS_THREADS: '3'});
      // A processor that lacks the instructions runs the best that it has.
      expect(['avx512', 'avx2', 'baseline']).toContain(found);
    });

    test('compute rows alike with all instructions', () => {
      const program = `
        const native = require('./native/index.cjs').loadNative();
        const tf = require(native.package);
        const backend = tf.backend();
        const types = {number: 'TF_ATTR_INT', string: 'TF_ATTR_STRING'};
        const run = (name, inputs, attrs = {}, numOutputs = 1) => {
          const list = Object.entries(attrs).map(([name, value]) => {
            const type = name === 'epsilon' ? 'TF_ATTR_FLOAT' : types[typeof value];
            return {name, type: backend.binding[type], value};
          });
          return backend.executeMultipleOutputs('MegaBlocks' + name, list, inputs, numOutputs);
        };
        const values = (...shape) =>
          tf.reshape(tf.sin(tf.range(0, shape.reduce((x, y) => x * y))), shape);
        // No row is whole vectors.
        const [rows, size] = [6, 45];
        const x = tf.mul(4, values(rows, size));
        const dy = values(rows, size);
        const [vector, weights] = [values(size), values(rows)];
        const labels = tf.range(0, rows, 1, 'int32');
        const [losses, logSums] = run('SparseSoftmaxCrossEntropy', [x, labels], {}, 2);
        const bins = tf.tensor1d([2, rows], 'int32');
        const index = [tf.reverse(labels), bins, bins];
        const permutation = {layout: 'packed', topK: 1, numRows: rows};
        const [w1, w2] = [values(2, 19, size), values(2, 19, size)];
        const experts = [x, weights, w1, w2, index[0], bins];
        const mlp = {activation: 'silu', topK: 1};
        const [y, saved] = run('GroupedMlp', experts, mlp, 2);
        const qkv = tf.reshape(x, [1, rows, size]);
        const moments = [dy, tf.abs(dy), weights.slice(0, 1), tf.tensor1d([0.1, 0.9, 2, 0.9, 0.99, 1e-8])];
        const all = [
          ...['gelu_new', 'gelu', 'silu', 'relu'].flatMap((activation) => [
            ...run('Activation', [x], {activation}),
            ...run('ActivationGrad', [x, dy], {activation}),
          ]),
          losses,
          logSums,
          ...run('SparseSoftmaxCrossEntropyGrad', [x, labels, logSums, weights]),
          ...run('LayerNorm', [x, vector, vector], {epsilon: 1e-5}),
          ...run('LayerNormGrad', [x, vector, dy], {epsilon: 1e-5}),
          ...run('LayerNormGammaGrad', [x, dy], {epsilon: 1e-5}),
          ...run('CausalAttention', [qkv], {numHeads: 3}),
          ...run('CausalAttentionGrad', [qkv, values(1, rows, 15)], {numHeads: 3}),
          ...run('AdamW', [x, dy, ...moments], {}, 3),
          ...run('WeightedScatter', [x, ...index, weights], permutation),
          ...run('ScatterWeightsGrad', [x, dy, ...index], permutation),
          ...run('EmbeddingGrad', [dy, tf.tensor1d([0, 0, 1, 1, 2, 2], 'int32')], {vocabSize: 3}),
          y,
          ...run('GroupedMlpGrad', [dy, ...experts, saved], mlp, 4),
        ];
        console.log(JSON.stringify(all.map((x) => Array.from(backend.readSync(x.dataId)))));`;
      const [best, ...others] = ['', 'avx2', 'baseline'].map(
        (name) => JSON.parse(runNode(program, {MEGABLOCKS_SIMD: name})) as number[][],
      );
      for (const results of others) {
        best.forEach((values, i) => expectClose(tf.tensor1d(results[i]), values, {name: `${i}`}));
      }
    });

    test('are described', async () => {
      const {
        tensorflow: {cuda, ...tensorflow},
      } = await import('../src/tensorflow');
      expect(tensorflow).toEqual({
        package: expect.stringMatching(/^@tensorflow\/tfjs-node/),
        version: expect.stringMatching(/^2\.\d+\.\d+/),
        devices: expect.arrayContaining(['CPU']),
        instructions: expect.stringMatching(/^(avx512|avx2|baseline)$/),
        threads: expect.any(Number),
      });
      // There where nvcc was when the ops were built.
      expect(cuda ?? {version: '0.0', stream: 'device', gpus: []}).toMatchObject({
        version: expect.stringMatching(/^\d+\.\d+$/),
        stream: expect.stringMatching(/^(tensorflow|device)$/),
        gpus: expect.any(Array),
      });
      expect(cuda == null || tensorflow.devices.includes('GPU') || cuda.problem != null).toBe(true);
    });

    // Of small integers every precision gives the same, and float32 sums are exact.
    describe.each(['float32', 'tf32', 'bfloat16'] as const)('in %s', (precision) => {
      beforeAll(async () => (await import('../src/tensorflow')).setTensorFlowPrecision(precision));
      afterAll(async () => (await import('../src/tensorflow')).setTensorFlowPrecision('float32'));

      const integers: Numbers = (shape) => {
        const all = tf.range(0, tf.util.sizeFromShape(shape));
        return tf.reshape(tf.sub(tf.mod(tf.mul(all, 7), 11), 5), shape);
      };
      describe.each(Object.entries(sparseProducts(integers)))('%s', (_, productOf) => {
        test.each(TRANSPOSES)('multiplies blocks of 128, transposed %s and %s', (...flags) => {
          tf.tidy(() => {
            const {topology} = megablocks.randomMask(384, 512, 0.4, 128, 3);
            expectAsDense(productOf(topology, 72, flags), integers, {tolerance: 0});
          });
        });
      });
    });

    test('take a precision, which the CPU has no use for', async () => {
      const {setTensorFlowPrecision} = await import('../src/tensorflow');
      const product = (options?: {precision?: 'float32' | 'float16'}) =>
        megablocks.groupedMatMul(
          tf.ones<tf.Rank.R2>([3, 2]),
          tf.ones<tf.Rank.R3>([1, 2, 4]),
          int(3),
          options,
        );
      try {
        for (const precision of ['tf32', 'bfloat16', 'float32'] as const) {
          setTensorFlowPrecision(precision);
          tf.tidy(() => {
            for (const y of [product(), product({precision: 'float16'})]) {
              expectClose(y, new Array(12).fill(2));
            }
          });
        }
      } finally {
        setTensorFlowPrecision('float32');
      }
      expect(() => setTensorFlowPrecision('float16' as 'float32')).toThrow(
        "setTensorFlowPrecision: precision must be one of 'float32', 'tf32', 'bfloat16', got 'float16'",
      );
      const attrs = {...plain, precision: 'float16'};
      const inputs = [float(4, 2), float(1, 2, 3), int(4)];
      expect(() => execute(GroupedMatMul, inputs, attrs)).toThrow(/precision.*"float16"/);
    });
  },
  ['tensorflow'],
);

test('every op has a kernel for the CPU and one for GPUs', () => {
  const source = (...path: string[]) => readFileSync(join(root, 'native', ...path), 'utf8');
  const names = (text: string, pattern: RegExp) =>
    [...text.matchAll(pattern)].map(([, name]) => name);
  const ops = names(source('ops/ops.cc'), /^ {6}\{"(\w+)",/gm).sort();
  expect(ops).toContain('GroupedMatMul');
  for (const folder of ['kernels', 'kernels/cuda']) {
    const files = readdirSync(join(root, 'native', folder)).filter((name) => name.endsWith('.cc'));
    const kernels = files.flatMap((name) =>
      names(source(folder, name), /\bMEGABLOCKS_KERNEL\((\w+),/g),
    );
    expect(kernels.sort()).toEqual(ops);
  }
});

test('every launcher that a kernel calls is declared and defined', () => {
  const folder = join(root, 'native/cuda');
  const called = /\b(megablocks_\w+)\(/g;
  const header = readFileSync(join(folder, 'megablocks.h'), 'utf8');
  const declared = new Set([...header.matchAll(called)].map(([, name]) => name));
  const defined = readdirSync(folder)
    .filter((name) => name.endsWith('.cu'))
    .flatMap((name) => [
      ...readFileSync(join(folder, name), 'utf8').matchAll(/^\w+ (megablocks_\w+)\(/gm),
    ])
    .map(([, name]) => name);
  expect([...new Set(defined)].sort()).toEqual([...declared].sort());
  const kernels = join(root, 'native/kernels/cuda');
  const calls = readdirSync(kernels).flatMap((name) =>
    [...readFileSync(join(kernels, name), 'utf8').matchAll(called)].map(([, name]) => name),
  );
  expect(calls.filter((name) => !declared.has(name))).toEqual([]);
});
