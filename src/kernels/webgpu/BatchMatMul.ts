import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {BatchMatMul, type BatchMatMulAttrs, type TensorInfo} from '@tensorflow/tfjs-core';
import {replacementConfig} from '../../kernel';
import type {Precision} from '../../kernel_names';
import {isFastMatMul} from '../shared/fast_mat_mul';
import {denseMatMul} from './dense_matmul';

/** tf.matMul; takes the place of tfjs' own where `useFastMatMul` was called. */
export const batchMatMulConfig = replacementConfig<
  Record<'a' | 'b', TensorInfo>,
  BatchMatMulAttrs & {precision?: Precision},
  WebGPUBackend
>(
  BatchMatMul,
  'webgpu',
  isFastMatMul,
  ({inputs: {a, b}, attrs: {transposeA, transposeB, precision}, backend}) =>
    denseMatMul(backend, {a, b, transposeA, transposeB, precision}),
);
