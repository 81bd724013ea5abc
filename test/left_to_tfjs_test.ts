import * as tf from '@tensorflow/tfjs';
import {withFastMatMul} from '../benchmarks/fast_mat_mul';
import {describeEachBackend} from './backends';
import {expectClose} from './close';

/** What the fast products do not take, with the result, and what tfjs says on wasm, which has none. */
const LEFT: Record<string, {run: () => tf.Tensor; wanted: number[]; refused?: string}> = {
  'products of integers': {
    run: () =>
      tf.matMul(tf.tensor2d([1, 2], [1, 2], 'int32'), tf.tensor2d([3, 4], [2, 1], 'int32')),
    wanted: [11],
    refused: 'non-float32',
  },
  'a bias for every element': {
    run: () => fusedOfOnes({bias: tf.tensor2d([1, 2, 3, 4], [2, 2])}),
    wanted: [2, 3, 4, 5],
    refused: 'only supports rank-1 bias',
  },
  'a bias for every row': {
    run: () => fusedOfOnes({bias: tf.tensor2d([1, 3], [2, 1])}),
    wanted: [2, 2, 4, 4],
    refused: 'only supports rank-1 bias',
  },
  'slopes for every element': {
    run: () =>
      fusedOfOnes({
        bias: tf.scalar(-2),
        activation: 'prelu',
        preluActivationWeights: tf.tensor2d([1, 2, 3, 4], [2, 2]),
      }),
    wanted: [-1, -2, -3, -4],
  },
};

function fusedOfOnes(epilogue: Omit<Parameters<typeof tf.fused.matMul>[0], 'a' | 'b'>): tf.Tensor {
  return tf.fused.matMul({a: tf.ones([2, 1]), b: tf.ones([1, 2]), ...epilogue});
}

describeEachBackend(
  "useFastMatMul leaves to tfjs' own",
  (backendName) => {
    test.each(Object.entries(LEFT))('%s', async (_, {run, wanted, refused}) => {
      const check = () =>
        tf.tidy(() => {
          if (backendName === 'wasm' && refused != null) {
            expect(run).toThrow(refused);
          } else {
            expectClose(run(), wanted);
          }
        });
      await withFastMatMul(check)();
    });
  },
  ['wasm', 'webgpu', 'webgl'],
);

describeEachBackend(
  'useFastMatMul is honest about NaN',
  () => {
    test.each(['linear', 'relu', 'elu', 'sigmoid', 'leakyrelu'] as const)(
      '%s',
      async (activation) => {
        const a = tf.tensor2d([NaN, 1, 1, 0], [2, 2]);
        await withFastMatMul(() => {
          const y = tf.fused.matMul({a, b: tf.ones<tf.Rank.R2>([2, 4]), activation});
          expectClose(tf.isNaN(y), [1, 1, 1, 1, 0, 0, 0, 0]);
        })();
        a.dispose();
      },
    );
  },
  ['wasm', 'webgpu', 'webgl'],
);
