import * as tf from '@tensorflow/tfjs';
import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {
  AdamWOptimizer,
  gather,
  groupedMatMul,
  histogram,
  inclusiveCumsum,
  languageModel,
  layerNorm,
  replicate,
  sort,
  sparseSoftmaxCrossEntropyLoss,
} from '../../src/index';
import {contextOf} from '../../src/kernels/webgl/context';
import {withFastMatMul} from '../../benchmarks/fast_mat_mul';
import {setupWebGL} from '../../src/webgl';
import {describeEachBackend} from '../backends';
import {expectClose} from '../close';
import {random} from '../random';

// What is of webgl alone: how tensors lie in textures, how many programs are compiled, what is refused.

const matrix = (rows: number, columns: number, seed: number) =>
  tf.tensor2d(random(rows * columns, seed), [rows, columns]);

function gl(): WebGL2RenderingContext {
  return (tf.backend() as MathBackendWebGL).gpgpu.gl as unknown as WebGL2RenderingContext;
}

/** The rows of each bin times its own matrix, by tf.matMul. */
function matMulOfBins(x: tf.Tensor2D, w: tf.Tensor3D, ends: number[]): tf.Tensor2D {
  const products = ends.map((end, e) => {
    const begin = e === 0 ? 0 : ends[e - 1];
    const rows = tf.slice(x, [begin, 0], [end - begin, -1]);
    return tf.matMul(rows, tf.reshape(tf.slice(w, [e, 0, 0], [1, -1, -1]), [w.shape[1], -1]));
  });
  return tf.concat(products.filter(({size}) => size > 0)) as tf.Tensor2D;
}

describeEachBackend(
  'programs',
  () => {
    beforeAll(() => tf.env().set('IS_TEST', false));
    afterAll(() => tf.env().set('IS_TEST', true));

    test('fifty steps compile what the first two did', async () => {
      const [batch, sequenceLength, vocabSize] = [2, 8, 24];
      const model = languageModel({
        vocabSize,
        sequenceLength,
        hiddenSize: 8,
        ffnHiddenSize: 16,
        numLayers: 1,
        numHeads: 2,
        feedForward: 'dMoE',
        moe: {moeNumExperts: 4, moeTopK: 2},
        seed: 1,
      });
      const optimizer = new AdamWOptimizer({learningRate: 1e-2});
      model.compile({optimizer, loss: sparseSoftmaxCrossEntropyLoss});
      const link = jest.spyOn(gl(), 'linkProgram');
      const compiled: number[] = [];
      for (let step = 0; step < 50; step++) {
        const ids = (seed: number) =>
          random(batch * sequenceLength, seed).map(
            (x) => Math.floor(Math.abs(x) * vocabSize) % vocabSize,
          );
        const x = tf.tensor2d(ids(step), [batch, sequenceLength], 'int32');
        const y = tf.tensor3d(ids(step), [batch, sequenceLength, 1], 'int32');
        const loss = (await model.trainOnBatch(x, y)) as number;
        expect(Number.isFinite(loss)).toBe(true);
        compiled.push(link.mock.calls.length);
        tf.dispose([x, y]);
      }
      link.mockRestore();
      model.dispose();
      optimizer.dispose();
      expect(compiled[0]).toBeGreaterThan(10);
      expect(compiled[49]).toBe(compiled[1]);
    });
  },
  ['webgl'],
);

describeEachBackend(
  'textures',
  () => {
    // Experts that end within a tile, one that is empty, and sizes that no tile divides.
    const ENDS = [37, 37, 140, 259];
    const [N, K, M] = [259, 67, 133];

    test.each([false, true])('tiles of products, transposeB %s', (transposeB) => {
      tf.tidy(() => {
        const x = matrix(N, K, 1);
        const w = tf.tensor3d(random(4 * K * M, 2), [4, K, M]);
        const bins = tf.tensor1d(ENDS, 'int32');
        const b = transposeB ? tf.transpose(w, [0, 2, 1]) : w;
        expectClose(groupedMatMul(x, b, bins, {transposeB}), matMulOfBins(x, w, ENDS));
      });
    });

    test('tiles of products, transposeA', () => {
      tf.tidy(() => {
        const [x, dy] = [matrix(N, K, 1), matrix(N, M, 2)];
        const wanted = ENDS.map((end, e) => {
          const begin = e === 0 ? 0 : ENDS[e - 1];
          const rows = (t: tf.Tensor2D) => tf.slice(t, [begin, 0], [end - begin, -1]);
          return end === begin ? tf.zeros([K, M]) : tf.matMul(rows(x), rows(dy), true);
        });
        const bins = tf.tensor1d(ENDS, 'int32');
        expectClose(groupedMatMul(x, dy, bins, {transposeA: true}), tf.stack(wanted));
      });
    });

    test('tensors with longer sides than a texture', () => {
      const side = tf.env().getNumber('WEBGL_MAX_TEXTURE_SIZE');
      try {
        tf.env().set('WEBGL_MAX_TEXTURE_SIZE', 28);
        tf.tidy(() => {
          const x = matrix(60, 11, 1);
          const w = tf.tensor3d(random(2 * 11 * 40, 2), [2, 11, 40]);
          const bins = tf.tensor1d([31, 60], 'int32');
          expectClose(groupedMatMul(x, w, bins), matMulOfBins(x, w, [31, 60]));
          const order = Array.from({length: 60}, (_, i) => (i * 7) % 60);
          const indices = tf.tensor1d(order, 'int32');
          expectClose(gather(x, indices, indices, bins, 1), tf.gather(x, indices));
          expectClose(sort(indices)[1], tf.tensor1d(order.map((_, i) => (i * 43) % 60)));
          expectClose(inclusiveCumsum(tf.ones<tf.Rank.R1>([60], 'int32')), tf.range(1, 61));
          const {mean, variance} = tf.moments(x, 1, true);
          const normal = tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 1e-5)));
          expectClose(layerNorm(x, tf.ones<tf.Rank.R1>([11]), tf.zeros<tf.Rank.R1>([11])), normal);
        });
      } finally {
        tf.env().set('WEBGL_MAX_TEXTURE_SIZE', side);
      }
    });

    // Two rows of texels a line, as tensors are uploaded and as tfjs' own kernels make them, and rows that
    // go on in the next line.
    test.each([
      ['two rows a line', {ends: [20, 65, 65, 110, 160, 200], inner: 40, columns: 36}],
      ['rows over two lines', {ends: [13, 13, 40], inner: 200, columns: 14}],
    ])('products of tensors with longer sides than a texture: %s', (_, {ends, inner, columns}) => {
      const [numBins, rows] = [ends.length, ends.at(-1)!];
      const side = tf.env().getNumber('WEBGL_MAX_TEXTURE_SIZE');
      const onGpu = <T extends tf.Tensor>(x: T): T => tf.mul(x, tf.scalar(1));
      try {
        tf.env().set('WEBGL_MAX_TEXTURE_SIZE', 96);
        for (const made of [onGpu, <T extends tf.Tensor>(x: T) => x]) {
          tf.tidy(() => {
            const x = made(matrix(rows, inner, 1));
            const shape: [number, number, number] = [numBins, inner, columns];
            const w = made(tf.tensor3d(random(tf.util.sizeFromShape(shape), 2), shape));
            const dy = made(matrix(rows, columns, 3));
            const bins = tf.tensor1d(ends, 'int32');
            const wanted = matMulOfBins(x, w, ends);
            const product = groupedMatMul(x, w, bins);
            expectClose(tf.add(product, dy), tf.add(wanted, dy));
            const transposed = made(tf.transpose(w, [0, 2, 1]));
            expectClose(groupedMatMul(x, transposed, bins, {transposeB: true}), wanted);
            const ofGroups = ends.map((end, e) => {
              const begin = e === 0 ? 0 : ends[e - 1];
              const part = (t: tf.Tensor2D) => tf.slice(t, [begin, 0], [end - begin, -1]);
              return end === begin
                ? tf.zeros([inner, columns])
                : tf.matMul(part(x), part(dy), true);
            });
            const gradient = groupedMatMul(x, dy, bins, {transposeA: true});
            expectClose(tf.mul(gradient, tf.scalar(2)), tf.mul(tf.stack(ofGroups), tf.scalar(2)));
          });
        }
      } finally {
        tf.env().set('WEBGL_MAX_TEXTURE_SIZE', side);
      }
    });

    test('a slice, which shares the texture of the whole', () => {
      tf.tidy(() => {
        const x = tf.tensor1d([9, 9, 0, 1, 1, 2, 9, 9], 'int32');
        // On the GPU and not packed, as slices are that share.
        const [sorted] = sort(x);
        expectClose(histogram(tf.slice1d(sorted, 1, 3), 3), [0, 2, 1]);
      });
    });
  },
  ['webgl'],
);

describeEachBackend(
  'useFastMatMul',
  () => {
    beforeAll(() => tf.env().set('IS_TEST', false));
    afterAll(() => tf.env().set('IS_TEST', true));

    const tensor = (shape: number[], seed: number) =>
      tf.tensor(random(tf.util.sizeFromShape(shape), seed), shape);

    /** The result with tfjs' own product, and with this one. */
    const both = async (f: () => tf.Tensor) => [f(), (await withFastMatMul(f)()) as tf.Tensor];

    test.each([
      ['small', [5, 3], [3, 7]],
      ['in tiles', [97, 130], [130, 77]],
      ['many', [2, 3, 4], [2, 4, 5]],
      ['one for all', [2, 3, 40], [1, 40, 5]],
    ])('%s', async (_, a, b) => {
      for (const [transposeA, transposeB] of [
        [false, false],
        [true, false],
        [false, true],
        [true, true],
      ]) {
        const swap = (shape: number[], transpose: boolean) =>
          transpose ? [...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!] : shape;
        const [x, y] = [tensor(swap(a, transposeA), 1), tensor(swap(b, transposeB), 2)];
        const [wanted, got] = await both(() => tf.matMul(x, y, transposeA, transposeB));
        expectClose(got, wanted);
        tf.dispose([x, y, wanted, got]);
      }
    });

    test('leading axes broadcast both ways', async () => {
      const [x, y] = [tensor([3, 1, 2, 4], 1), tensor([1, 2, 4, 3], 2)];
      const wanted = tf.matMul(tf.tile(x, [1, 2, 1, 1]), tf.tile(y, [3, 1, 1, 1]));
      const got = (await withFastMatMul(() => tf.matMul(x, y))()) as tf.Tensor;
      expectClose(got, wanted);
      tf.dispose([x, y, wanted, got]);
    });

    test.each(['linear', 'relu', 'relu6', 'elu', 'sigmoid', 'leakyrelu', 'prelu'] as const)(
      'fused with bias and %s',
      async (activation) => {
        const [a, b] = [tensor([5, 7], 1), tensor([7, 11], 2)] as tf.Tensor2D[];
        const [bias, slope] = [tensor([11], 3), tf.scalar(0.25)];
        const [wanted, got] = await both(() =>
          tf.fused.matMul({
            ...{a, b, bias, activation, leakyreluAlpha: 0.1},
            preluActivationWeights: activation === 'prelu' ? slope : undefined,
          }),
        );
        expectClose(got, wanted);
        tf.dispose([a, b, bias, slope, wanted, got]);
      },
    );
  },
  ['webgl'],
);

describeEachBackend(
  'what is refused',
  () => {
    beforeAll(() => tf.env().set('IS_TEST', false));
    afterAll(() => tf.env().set('IS_TEST', true));

    const withFlag = (flag: string, value: number | boolean, f: () => void) => {
      const before = tf.env().get(flag);
      try {
        tf.env().set(flag, value);
        f();
      } finally {
        tf.env().set(flag, before);
      }
    };
    /** A context that nothing has run on. */
    const fresh = () =>
      ({gpgpu: {gl: {isContextLost: () => false}}}) as unknown as MathBackendWebGL;

    test('a tensor that no texture holds', () => {
      const x = tf.tensor1d([1]);
      const bins = tf.tensor1d([1], 'int32');
      const side = tf.env().getNumber('WEBGL_MAX_TEXTURE_SIZE');
      expect(() => replicate(x, bins, 2 * side * side)).toThrow(
        `MegaBlocksReplicate: a tensor of shape [${2 * side * side}] takes ${2 * side * side} texels, and a ` +
          `texture of this WebGL device holds at most ${side} x ${side}; use a smaller batch or model`,
      );
      tf.dispose([x, bins]);
    });

    test('an integer that no float32 holds', () => {
      tf.tidy(() => {
        expect(() => sort(tf.tensor1d([2 ** 24 + 1], 'int32'))).toThrow(
          'MegaBlocksSort: an int32 on the webgl backend must be exact in a float32, so at most 2^24 in ' +
            'magnitude, got 16777217',
        );
        expectClose(sort(tf.tensor1d([2 ** 24, 0], 'int32'))[0], [0, 2 ** 24]);
      });
    });

    test('more elements than are counted exactly', () => {
      tf.tidy(() => {
        const x = tf.zeros<tf.Rank.R1>([2 ** 24 + 1], 'int32');
        const message =
          'the webgl backend counts at most 2^24 elements, which float32 textures hold exactly';
        expect(() => sort(x)).toThrow(`MegaBlocksSort: ${message}, got 16777217`);
        expect(() => histogram(x, 2)).toThrow(`MegaBlocksHistogram: ${message}, got 16777217`);
      });
    });

    test('WebGL1, and no WebGL', () => {
      withFlag('WEBGL_VERSION', 1, () =>
        expect(() => contextOf(fresh(), 'kernel')).toThrow(
          'kernel: there must be WebGL2, got WebGL1',
        ),
      );
      withFlag('WEBGL_VERSION', 0, () =>
        expect(() => contextOf(fresh(), 'kernel')).toThrow(
          'kernel: there must be WebGL2, got no WebGL',
        ),
      );
    });

    test('half floats', () => {
      withFlag('WEBGL_RENDER_FLOAT32_ENABLED', false, () =>
        expect(() => contextOf(fresh(), 'kernel')).toThrow(
          'kernel: the device must render to float32 textures, got half floats only',
        ),
      );
    });

    // Last, since the backend is another one after it.
    test('a context that is lost, until the backend is set up again', async () => {
      const first = await setupWebGL();
      const x = tf.tensor1d([3, 1, 2], 'int32');
      const lose = gl().getExtension('WEBGL_lose_context')!;
      expectClose(sort(x)[0], [1, 2, 3]);
      lose.loseContext();
      const message =
        'the WebGL context is lost; set the backend up again and go on from the last checkpoint';
      expect(() => sort(x)).toThrow(`MegaBlocksSort: ${message}`);
      expect(() => tf.matMul(matrix(20, 20, 1), matrix(20, 20, 2))).toThrow(`webgl: ${message}`);
      const {renderer, maxTextureSize} = await setupWebGL();
      expect(renderer).toMatch(/^ANGLE \(.+\)$/);
      expect(renderer).toBe(first.renderer);
      expect(maxTextureSize).toBeGreaterThanOrEqual(2048);
      const [sorted] = sort(tf.tensor1d([3, 1, 2], 'int32'));
      expect([...(await sorted.data())]).toEqual([1, 2, 3]);
      expect([...(await tf.matMul(tf.ones([30, 30]), tf.ones([30, 30])).data())][0]).toBe(30);
      // What was set up before is gone; to dispose of it leaves alone what came after.
      first.dispose();
      expect(tf.getBackend()).toBe('webgl');
    });
  },
  ['webgl'],
);
