import * as tf from '@tensorflow/tfjs';
import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {
  causalAttention,
  dds,
  dsd,
  embedding,
  gather,
  globalNorm,
  groupedMatMul,
  histogram,
  inclusiveCumsum,
  layerNorm,
  linearCrossEntropyLoss,
  paddedBins,
  randomSparse,
  replicate,
  sdd,
  softmax,
  sort,
  sparseSoftmaxCrossEntropy,
  toDense,
  topK,
  useFastMatMul,
} from '../src/index';
import {deviceState} from '../src/kernels/webgpu/device_state';
import {describeEachBackend} from './backends';
import {expectClose} from './close';
import {random} from './random';
import {withGradients} from './with_gradients';

// A kernel with more workgroups than an axis of a dispatch holds lays them out on two, whose last row has
// more than there are. With few to an axis, small tensors show what those do.

/** Up to nine workgroups, of which seven take three rows of three. */
const LIMIT = 3;

const floats = (shape: number[], seed = 1) =>
  tf.tensor(random(tf.util.sizeFromShape(shape), seed), shape);
const ints = (shape: number[], below: number) =>
  tf.tensor(
    random(tf.util.sizeFromShape(shape), 7).map((x) => Math.floor(((x + 1) / 2) * below)),
    shape,
    'int32',
  );
const bins = (size: number) => tf.range(1, size + 1, 1, 'int32') as tf.Tensor1D;
const sparse = () => randomSparse(28, 4, 0, 4, 3);

const CASES: Record<string, () => tf.Tensor[]> = {
  'topK of many': () => Object.values(topK(floats([7, 20]) as tf.Tensor2D, 17)),
  'topK of few': () => Object.values(topK(floats([7 * 64, 5]) as tf.Tensor2D, 2)),
  inclusiveCumsum: () => [inclusiveCumsum(ints([7, 5], 9) as tf.Tensor2D)],
  paddedBins: () => [paddedBins(ints([5], 9) as tf.Tensor1D, 4)],
  'histogram of long rows': () => [histogram(ints([7, 300], 5) as tf.Tensor2D, 5)],
  'histogram of short rows': () => [histogram(ints([7 * 64, 4], 5) as tf.Tensor2D, 5)],
  sort: () => sort(ints([7 * 2048 - 5], 2 ** 20) as tf.Tensor1D, 20),
  replicate: () => withGradients((x) => replicate(x as tf.Tensor1D, bins(7), 7 * 64), floats([7])),
  gather: () =>
    withGradients((x) => gather(x as tf.Tensor2D, bins(7), bins(7), bins(7), 1), floats([7, 256])),
  embedding: () =>
    withGradients((table) => embedding(table as tf.Tensor2D, ints([7 * 16], 7)), floats([7, 64])),
  'groupedMatMul of experts': () => [
    groupedMatMul(floats([7, 4]) as tf.Tensor2D, floats([7, 4]) as tf.Tensor2D, bins(7), {
      transposeA: true,
    }),
  ],
  'groupedMatMul of rows': () => [
    groupedMatMul(floats([5, 4]) as tf.Tensor2D, floats([5, 4, 3]) as tf.Tensor3D, bins(5)),
  ],
  sdd: () => {
    const {topology} = sparse();
    return [sdd(floats([28, 3]) as tf.Tensor2D, floats([3, 4]) as tf.Tensor2D, topology).values];
  },
  dsd: () => [dsd(sparse(), floats([4, 3]) as tf.Tensor2D)],
  dds: () => [dds(floats([3, 4]) as tf.Tensor2D, sparse().t())],
  toDense: () => [toDense(sparse())],
  matMul: () => [tf.matMul(floats([7, 3, 2]), floats([7, 2, 5]))],
  softmax: () => withGradients(softmax, floats([7, 300])),
  sparseSoftmaxCrossEntropy: () =>
    withGradients((logits) => sparseSoftmaxCrossEntropy(ints([7], 5), logits), floats([7, 5])),
  linearCrossEntropyLoss: () =>
    withGradients(
      (hidden, table) => linearCrossEntropyLoss(ints([7], 5), hidden, table as tf.Tensor2D),
      floats([7, 4]),
      floats([5, 4]),
    ),
  layerNorm: () =>
    withGradients(
      (x, gamma, beta) => layerNorm(x, gamma as tf.Tensor1D, beta as tf.Tensor1D),
      floats([7, 6]),
      floats([6]),
      floats([6], 2),
    ),
  causalAttention: () =>
    withGradients((qkv) => causalAttention(qkv as tf.Tensor3D, 1), floats([7, 2, 12])),
  globalNorm: () => [globalNorm(Array.from({length: 7}, (_, i) => floats([5], i)))],
};

describeEachBackend(
  'with more workgroups than an axis holds',
  () => {
    beforeAll(() => {
      useFastMatMul();
    });

    test.each(Object.entries(CASES))('%s', (_, run) => {
      tf.tidy(() => {
        const wanted = run();
        const {limits} = deviceState((tf.backend() as WebGPUBackend).device);
        const {maxComputeWorkgroupsPerDimension} = limits;
        limits.maxComputeWorkgroupsPerDimension = LIMIT;
        try {
          run().forEach((y, i) => expectClose(y, wanted[i], {tolerance: 0, name: `output ${i}`}));
        } finally {
          limits.maxComputeWorkgroupsPerDimension = maxComputeWorkgroupsPerDimension;
        }
      });
    });
  },
  ['webgpu'],
);
