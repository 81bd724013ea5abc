import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {BatchMatMul, type BatchMatMulAttrs, type TensorInfo} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import type {Precision} from '../../kernel_names';
import {denseMatMul} from './dense_matmul';

/** tf.matMul; takes the place of tfjs' own where `useFastMatMul` was called. */
export const batchMatMulConfig = kernelConfig<
  Record<'a' | 'b', TensorInfo>,
  BatchMatMulAttrs & {precision?: Precision},
  WebGPUBackend
>(BatchMatMul, 'webgpu', ({inputs: {a, b}, attrs: {transposeA, transposeB, precision}, backend}) =>
  denseMatMul(backend, {a, b, transposeA, transposeB, precision}),
);
