import * as tf from '@tensorflow/tfjs';
import {embedding, groupedMatMul, inclusiveCumsum, replicate, useFastMatMul} from '../src/index';
import {describeEachBackend} from './backends';

// Results of 4 GiB and more, of operands that are small.

const [ROWS, COLUMNS] = [65536, 16384];

const CASES: Record<string, () => tf.Tensor> = {
  groupedMatMul: () =>
    groupedMatMul(tf.ones([ROWS, 1]), tf.ones([1, 1, COLUMNS]), tf.tensor1d([ROWS], 'int32')),
  embedding: () => embedding(tf.ones([1, ROWS]), tf.zeros([COLUMNS], 'int32')),
  replicate: () => replicate(tf.ones([1]), tf.tensor1d([5], 'int32'), ROWS * COLUMNS),
  'tf.matMul': () => tf.matMul(tf.ones([ROWS, 1]), tf.ones([1, COLUMNS])),
};

describeEachBackend(
  'a heap that has no address for a result',
  () => {
    beforeAll(() => {
      useFastMatMul();
    });

    test.each(Object.entries(CASES))('%s says so, and the heap stays as it is', async (_, run) => {
      expect(() => tf.tidy(run)).toThrow(
        /^wasm: a tensor must be at most 4294967295 bytes, got shape \[.*\], which takes 4294967296; use a smaller batch or model$/,
      );
      const sums = inclusiveCumsum(tf.tensor1d([1, 2, 3], 'int32'));
      expect([...(await sums.data())]).toEqual([1, 3, 6]);
      sums.dispose();
    });
  },
  ['wasm'],
);
