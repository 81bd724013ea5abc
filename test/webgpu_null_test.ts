import * as tf from '@tensorflow/tfjs';
import {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {
  activation,
  dds,
  dsd,
  groupedMatMul,
  groupedMlp,
  layerNorm,
  sdd,
  SparseMatrix,
  SparseTopology,
  useFastMatMul,
} from '../src/index';
import {runKernel} from '../src/kernel';
import {
  ACTIVATION_NAMES,
  ActivationGrad,
  type ActivationGradAttrs,
  type ActivationGradInputs,
  type ActivationName,
  AdamW,
  type AdamWAttrs,
  type AdamWInputs,
  type ExpertsAttrs,
  ExpertsDownGrad,
  type ExpertsDownGradInputs,
  PermutedMatMul,
  type PermutedMatMulAttrs,
  type PermutedMatMulInputs,
} from '../src/kernel_names';
import {HalfAttention} from '../src/kernels/webgpu/attention_float16';
import {deviceState} from '../src/kernels/webgpu/device_state';
import {toWgsl} from '../src/kernels/webgpu/program';

// No GPU in software has matrix units. Dawn's null device has, on paper: it checks every program, and runs
// none. So here all programs in half precision are compiled as for the units of real GPUs.

declare const createGpu: (...options: string[]) => GPU;

/** NVIDIA's, Apple's, and one whose sides differ. */
const UNITS = [
  {rows: 16, columns: 16, depth: 16},
  {rows: 8, columns: 8, depth: 8},
  {rows: 16, columns: 8, depth: 16},
];
const SUBGROUP_SIZE = 32;
const FEATURES = ['shader-f16', 'subgroups', 'chromium-experimental-subgroup-matrix'];

/** Beyond the limits of the null device, which has only what every WebGPU has: its code alone is checked. */
class BeyondLimits extends Error {}

/** Sizes that fill the small tile and the large one, read by vectors and one by one. */
const SIZES = [36, 37, 160, 161];
const FLAGS = [
  [false, false],
  [false, true],
  [true, false],
  [true, true],
] as const;

/** How many vectors of 8 bytes a program keeps in workgroup memory. */
const PANELS = /(?:panels|memory) : array<vec2u, (\d+)>/;
/** What real GPUs have of it, in bytes. */
const WORKGROUP_MEMORY = 48 << 10;

const missing = process.env.MEGABLOCKS_WEBGPU !== 'found';

(missing ? describe.skip : describe).each(UNITS)(
  'programs in half precision for units of $rows x $columns x $depth',
  (unit) => {
    let backend: WebGPUBackend;
    const errors: string[] = [];
    const products = new Set<string>();

    beforeAll(async () => {
      const gpu = createGpu('backend=null', 'enable-dawn-features=allow_unsafe_apis');
      const adapter = (await gpu.requestAdapter())!;
      const device = await adapter.requestDevice({
        requiredFeatures: FEATURES as GPUFeatureName[],
      });
      device.onuncapturederror = ({error}) => errors.push(error.message);
      watch(device, products);
      const state = deviceState(device);
      Object.assign(state.limits, {maxComputeWorkgroupStorageSize: WORKGROUP_MEMORY});
      Object.assign(state, {
        matrixUnit: unit,
        subgroupSize: SUBGROUP_SIZE,
        precision: 'float16',
      });
      backend = new WebGPUBackend(device, adapter.info);
      if (tf.findBackendFactory('webgpu') != null) {
        tf.removeBackend('webgpu');
      }
      tf.registerBackend('webgpu', () => backend, 10);
      tf.env().set('WEBGPU_CPU_FORWARD', false);
      await tf.setBackend('webgpu');
      useFastMatMul();
    });

    afterAll(() => {
      tf.removeBackend('webgpu');
      backend.device.destroy();
    });

    /** Every product that was compiled must have passed, and how they are read and dispatched as well. */
    afterEach(async () => {
      backend.ensureCommandEncoderReady();
      backend.endComputePassEncoder();
      backend.submitQueue();
      await backend.device.queue.onSubmittedWorkDone();
      expect(errors.splice(0)).toEqual([]);
    });

    /** Runs what is to be compiled. */
    function compile(run: () => unknown) {
      tf.tidy(() => {
        try {
          run();
        } catch (error) {
          if (!(error instanceof BeyondLimits)) {
            throw error;
          }
        }
      });
    }

    test.each(FLAGS)('matMul, transposeA %p, transposeB %p', (transposeA, transposeB) => {
      for (const rows of SIZES) {
        for (const columns of SIZES) {
          for (const depth of [8, 9]) {
            const a = transposeA ? [depth, rows] : [rows, depth];
            const b = transposeB ? [columns, depth] : [depth, columns];
            compile(() => tf.matMul(tf.zeros(a), tf.zeros(b), transposeA, transposeB));
          }
        }
      }
      compile(() => tf.matMul(tf.zeros([3, 1, 8, 8]), tf.zeros([1, 2, 8, 8])));
      compile(() => tf.matMul(tf.zeros([3, 8, 8]), tf.zeros([8, 8]), transposeA, transposeB));
      compile(() => tf.matMul(tf.zeros([64, 4096]), tf.zeros([4096, 64])));
    });

    test.each(['linear', 'relu', 'relu6', 'elu', 'sigmoid', 'leakyrelu', 'prelu'] as const)(
      'fused matMul with %s',
      (activation) => {
        for (const columns of SIZES) {
          for (const bias of [undefined, tf.zeros([columns])]) {
            for (const slopes of [[columns], [1]]) {
              compile(() =>
                tf.fused.matMul({
                  a: tf.zeros([columns, 8]),
                  b: tf.zeros([8, columns]),
                  bias,
                  activation,
                  preluActivationWeights: activation === 'prelu' ? tf.zeros(slopes) : undefined,
                }),
              );
            }
          }
        }
      },
    );

    test.each(SIZES)('groupedMatMul, groups of %p', (size) => {
      const [E, N] = [2, 2 * size];
      const bins = tf.tensor1d([size, N], 'int32');
      for (const [K, M] of [
        [8, size],
        [9, size],
        [size, 8],
        [size, 9],
      ]) {
        const a = () => tf.zeros<tf.Rank.R2>([N, K]);
        compile(() => groupedMatMul(a(), tf.zeros<tf.Rank.R3>([E, K, M]), bins));
        compile(() =>
          groupedMatMul(a(), tf.zeros<tf.Rank.R3>([E, M, K]), bins, {transposeB: true}),
        );
        compile(() => groupedMatMul(a(), tf.zeros<tf.Rank.R2>([N, M]), bins, {transposeA: true}));
      }
    });

    test.each(SIZES)('PermutedMatMul, groups of %p', (size) => {
      const [E, K, M, topK] = [2, size, size, 2];
      const N = E * size;
      const bins = tf.tensor1d([size, N], 'int32');
      const indices = tf.zeros([N], 'int32');
      const run = (
        permute: PermutedMatMulAttrs['permute'],
        inputs: Partial<PermutedMatMulInputs> & Pick<PermutedMatMulInputs, 'a' | 'b'>,
        flags: Partial<PermutedMatMulAttrs>,
      ) =>
        compile(() =>
          runKernel<PermutedMatMulInputs, PermutedMatMulAttrs>(
            PermutedMatMul,
            {...inputs, bins, indices},
            {transposeA: false, transposeB: false, permute, topK, ...flags},
          ),
        );
      for (const transposeB of [false, true]) {
        const b = tf.zeros(transposeB ? [E, M, K] : [E, K, M]);
        run('a', {a: tf.zeros([N / topK, K]), b}, {transposeB});
        run('result', {a: tf.zeros([N, K]), b}, {transposeB});
        run('result', {a: tf.zeros([N, K]), b, weights: tf.zeros([N])}, {transposeB});
      }
      run('b', {a: tf.zeros([N, K]), b: tf.zeros([N / topK, M])}, {transposeA: true});
    });

    /** What groupedMlp takes, with experts of `F` x `H`. */
    function mlp(E: number, H: number, F: number, isGlu: boolean) {
      const [T, topK] = [64 * E, 2];
      const matrices = () => tf.zeros<tf.Rank.R3>([E, F, H]);
      const bins = Array.from({length: E}, (_, i) => 64 * topK * (i + 1));
      return {
        T,
        x: tf.zeros<tf.Rank.R2>([T, H]),
        weights: {w1: matrices(), w2: matrices(), ...(isGlu && {v1: matrices()})},
        expertWeights: tf.zeros<tf.Rank.R1>([T * topK]),
        routing: {
          indices: tf.zeros<tf.Rank.R1>([T * topK], 'int32'),
          binIds: tf.zeros<tf.Rank.R1>([T * topK], 'int32'),
          bins: tf.tensor1d(bins, 'int32'),
          topK,
        },
      };
    }

    const mlps: [ActivationName, boolean, number][] = ACTIVATION_NAMES.flatMap((name) =>
      [false, true].flatMap((isGlu) =>
        [48, 160].map((F): [ActivationName, boolean, number] => [name, isGlu, F]),
      ),
    );

    test.each(mlps)('groupedMlp, %s, glu %p, %p wide', (activation, isGlu, F) => {
      compile(() => {
        const {x, weights, expertWeights, routing} = mlp(2, 16, F, isGlu);
        groupedMlp(x, weights, expertWeights, routing, {activation});
      });
      // Its gradient, by itself, since it has more buffers than the null device binds.
      compile(() => {
        const {T, x, weights, expertWeights, routing} = mlp(2, 16, F, isGlu);
        const {indices, bins, topK} = routing;
        const rows = () => tf.zeros([T * topK, F]);
        runKernel<ExpertsDownGradInputs, ExpertsAttrs, tf.Tensor[]>(
          ExpertsDownGrad,
          {
            dy: x,
            w2: weights.w2,
            bins,
            indices,
            weights: expertWeights,
            linear: rows(),
            ...(isGlu && {gate: rows()}),
          },
          {activation, topK},
        );
      });
    });

    test.each([1, 3, 4, 20, 32, 64, 100, 128])('block-sparse products in blocks of %p', (size) => {
      const places = SparseTopology.where([2 * size, 3 * size], size, (i, j) => i !== j);
      const values = tf.zeros<tf.Rank.R3>([places.numBlocks, size, size]);
      const matrix = (rows: number, columns: number, transposed: boolean) =>
        tf.zeros<tf.Rank.R2>(transposed ? [columns, rows] : [rows, columns]);
      for (const [transposeA, transposeB] of FLAGS) {
        const [outer, inner] = transposeA ? [3 * size, 2 * size] : [2 * size, 3 * size];
        for (const dense of [8, 9, 160, 161]) {
          compile(() =>
            sdd(matrix(2 * size, dense, transposeA), matrix(dense, 3 * size, transposeB), places, {
              transposeA,
              transposeB,
            }),
          );
          const sparse = new SparseMatrix(places, values, transposeA);
          compile(() => dsd(sparse, matrix(inner, dense, transposeB), {transposeB}));
          // As the right factor it is its rows that are summed over.
          compile(() => dds(matrix(dense, outer, transposeB), sparse, {transposeA: transposeB}));
        }
      }
    });

    test.each([4, 20, 64, 72, 128])('causal attention, heads of %p', (headSize) => {
      const {device} = backend;
      const shape = {batch: 2, length: 70, hiddenSize: 2 * headSize, numHeads: 2};
      const half = HalfAttention.of(deviceState(device), shape)!;
      const programs = [half.forward(), half.statistics(), half.queryGrad(), half.keyValueGrad()];
      for (const program of programs) {
        device.createShaderModule({code: toWgsl(program)});
      }
    });

    test.each([3, 4])('what records the largest magnitude of its result, rows of %p', (size) => {
      const x = tf.ones<tf.Rank.R2>([2, size]);
      const vector = tf.ones<tf.Rank.R1>([size]);
      const {magnitudes} = deviceState(backend.device);
      const moments = {firstMoment: x, secondMoment: x};
      const attrs = {learningRate: 1, beta1: 0, beta2: 0, epsilon: 1, weightDecay: 0, step: 1};
      compile(() => {
        const results = [
          layerNorm(x, vector, vector),
          activation(x, 'gelu'),
          runKernel<ActivationGradInputs, ActivationGradAttrs, tf.Tensor>(
            ActivationGrad,
            {x, dy: x},
            {activation: 'gelu'},
          ),
          runKernel<AdamWInputs, AdamWAttrs, tf.Tensor[]>(
            AdamW,
            {value: x, gradient: x, ...moments},
            attrs,
          )[0],
        ];
        for (const result of results) {
          expect(magnitudes.find(result)).toBeDefined();
        }
      });
    });

    test('these were all', () => {
      // Those of the tests above alone, for each of the two tiles.
      const tiles = [...products].map((code) => PANELS.exec(code)?.[1]);
      const counts = [...new Set(tiles)].map(
        (tile) => tiles.filter((other) => other === tile).length,
      );
      expect(counts.filter((count) => count >= 30).length).toBeGreaterThanOrEqual(2);
    });
  },
);

/** Notes the products that are compiled, and stops at those that the null device could not have. */
function watch(device: GPUDevice, products: Set<string>) {
  const codes = new WeakMap<GPUShaderModule, string>();
  const {maxComputeWorkgroupStorageSize, maxStorageBuffersPerShaderStage} = device.limits;
  const createShaderModule = device.createShaderModule.bind(device);
  const createComputePipeline = device.createComputePipeline.bind(device);
  device.createShaderModule = (descriptor) => {
    const module = createShaderModule(descriptor);
    codes.set(module, descriptor.code);
    if (descriptor.code.includes('subgroupMatrixMultiplyAccumulate')) {
      products.add(descriptor.code);
    }
    return module;
  };
  device.createComputePipeline = (descriptor) => {
    const code = codes.get(descriptor.compute.module)!;
    const panels = Number(PANELS.exec(code)?.[1] ?? 0);
    const buffers = code.match(/var<storage/g)?.length ?? 0;
    if (8 * panels > maxComputeWorkgroupStorageSize || buffers > maxStorageBuffersPerShaderStage) {
      throw new BeyondLimits();
    }
    return createComputePipeline(descriptor);
  };
}
