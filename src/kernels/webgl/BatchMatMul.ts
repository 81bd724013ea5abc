import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {BatchMatMul, type BatchMatMulAttrs, type TensorInfo} from '@tensorflow/tfjs-core';
import {replacementConfig} from '../../kernel';
import {isFastMatMul} from '../shared/fast_mat_mul';
import {denseMatMul} from './dense_matmul';

/** tf.matMul; takes the place of tfjs' own where `useFastMatMul` was called. */
export const batchMatMulConfig = replacementConfig<
  Record<'a' | 'b', TensorInfo>,
  BatchMatMulAttrs,
  MathBackendWebGL
>(
  BatchMatMul,
  'webgl',
  isFastMatMul,
  ({inputs: {a, b}, attrs: {transposeA, transposeB}, backend}) =>
    denseMatMul(backend, {a, b, transposeA, transposeB}),
);
