import * as tf from '@tensorflow/tfjs';
import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {
  causalAttention,
  dds,
  dsd,
  groupedMatMul,
  groupedMlp,
  sdd,
  SparseMatrix,
  SparseTopology,
  useFastMatMul,
} from '../src/index';
import {deviceState} from '../src/kernels/webgpu/device_state';
import type {MatrixUnit} from '../src/kernels/webgpu/matmul_float16';
import {describeEachBackend} from './backends';
import {expectClose} from './close';
import {emulateMatrixUnits} from './emulated_matrix_units';
import {random} from './random';
import {allowSoftware} from './settings';

// The programs in half precision against those in float32, on emulated matrix units.

/** Of SwiftShader. */
const SUBGROUP_SIZE = 4;
const UNIT = {rows: 4, columns: 8, depth: 8};
/** Two lanes a row, as on the units of real GPUs; too few rows for products. */
const UNIT_OF_TWO_ROWS = {rows: 2, columns: 4, depth: 8};
/** At least so many must have been emulated. */
const PROGRAMS = 4;
/** Halves round to 2^-11. */
const TOLERANCE = 3e-3;

describeEachBackend(
  'half precision on emulated matrix units',
  () => {
    const state = () => deviceState((tf.backend() as WebGPUBackend).device);

    /** From then on. */
    function emulate(unit: MatrixUnit) {
      let emulated: ReadonlySet<string>;
      beforeAll(() => {
        const {device} = tf.backend() as WebGPUBackend;
        // Not the function that emulates the unit before.
        const {createShaderModule} = Object.getPrototypeOf(device) as GPUDevice;
        device.createShaderModule = createShaderModule.bind(device);
        emulated = emulateMatrixUnits(device, unit, SUBGROUP_SIZE);
        useFastMatMul();
      });
      afterAll(() => {
        expect(emulated.size).toBeGreaterThanOrEqual(PROGRAMS);
      });
    }

    /** Value and gradients in half precision are those in float32. */
    function expectAsInFloat32(
      f: (...inputs: tf.Tensor[]) => tf.Tensor,
      inputs: tf.Tensor[],
      tolerance = TOLERANCE,
    ) {
      const compute = (precision: 'float32' | 'float16') => {
        state().precision = precision;
        const value = tf.tidy(() => f(...inputs));
        const dy = tf.tensor(random(value.size, 99), value.shape);
        return [value, ...tf.grads(f)(inputs, dy)];
      };
      const got = compute('float16');
      compute('float32').forEach((wanted, i) =>
        expectClose(got[i], wanted, {
          tolerance,
          name: i === 0 ? 'the value' : `the gradient of input ${i - 1}`,
        }),
      );
    }

    const matrix = <R extends tf.Rank>(shape: tf.ShapeMap[R], seed: number, scale = 1) =>
      tf.tensor<R>(
        random(tf.util.sizeFromShape(shape), seed).map((v) => scale * v),
        shape,
      );

    describe('products', () => {
      emulate(UNIT);

      test.each([
        [20, 24, 28, 1],
        [19, 9, 13, 1],
        [20, 24, 28, 1e-30],
        [20, 24, 28, 1e18],
      ])('matMul of [%p, %p] and [%p], %p large', (rows, depth, columns, scale) => {
        tf.tidy(() =>
          expectAsInFloat32(
            (a, b) => tf.matMul(a as tf.Tensor2D, b as tf.Tensor2D),
            [matrix([rows, depth], 1, scale), matrix([depth, columns], 2)],
          ),
        );
      });

      test('groupedMatMul', () => {
        tf.tidy(() => {
          const bins = tf.tensor1d([5, 5, 24, 40], 'int32');
          expectAsInFloat32(
            (a, b) => groupedMatMul(a as tf.Tensor2D, b as tf.Tensor3D, bins),
            [matrix([40, 12], 1), matrix([4, 12, 20], 2)],
          );
        });
      });

      test.each([false, true])('groupedMlp, glu %p', (isGlu) => {
        tf.tidy(() => {
          const [T, E, H, F] = [12, 2, 8, 20];
          const routing = {
            indices: tf.tensor1d([0, 3, 5, 6, 8, 1, 2, 4, 7, 9, 10, 11], 'int32'),
            binIds: tf.tensor1d([0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1], 'int32'),
            bins: tf.tensor1d([5, 12], 'int32'),
            topK: 1,
          };
          expectAsInFloat32(
            (x, w1, w2, weights, v1) =>
              groupedMlp(
                x as tf.Tensor2D,
                {
                  w1: w1 as tf.Tensor3D,
                  w2: w2 as tf.Tensor3D,
                  ...(isGlu && {v1: v1 as tf.Tensor3D}),
                },
                weights as tf.Tensor1D,
                routing,
              ),
            [
              matrix([T, H], 1),
              matrix([E, F, H], 2),
              matrix([E, F, H], 3),
              matrix([T], 4),
              ...(isGlu ? [matrix([E, F, H], 5)] : []),
            ],
          );
        });
      });

      test('block-sparse products', () => {
        tf.tidy(() => {
          const size = 4;
          const places = SparseTopology.where([2 * size, 3 * size], size, (i, j) => i !== j);
          const values = matrix<tf.Rank.R3>([places.numBlocks, size, size], 1);
          const sparse = (x: tf.Tensor) => new SparseMatrix(places, x as tf.Tensor3D);
          expectAsInFloat32(
            (a, b) => sdd(a as tf.Tensor2D, b as tf.Tensor2D, places).values,
            [matrix([2 * size, 12], 2), matrix([12, 3 * size], 3)],
          );
          expectAsInFloat32(
            (s, b) => dsd(sparse(s), b as tf.Tensor2D),
            [values, matrix([3 * size, 12], 2)],
          );
          expectAsInFloat32(
            (a, s) => dds(a as tf.Tensor2D, sparse(s)),
            [matrix([12, 2 * size], 2), values],
          );
        });
      });
    });

    describe.each([
      [UNIT, 8],
      [UNIT_OF_TWO_ROWS, 12],
    ])('attention on %p', (unit, headSize) => {
      emulate(unit);

      test(`heads of ${headSize}`, () => {
        const [length, numHeads] = [70, 2];
        tf.tidy(() =>
          expectAsInFloat32(
            (qkv) => causalAttention(qkv as tf.Tensor3D, numHeads),
            [matrix([1, length, 3 * numHeads * headSize], 1, 2)],
          ),
        );
      });
    });
  },
  // A real GPU has other subgroups, and units of its own.
  allowSoftware ? ['webgpu'] : [],
);
