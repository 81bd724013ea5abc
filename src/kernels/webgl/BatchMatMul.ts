import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {BatchMatMul, type BatchMatMulAttrs, type TensorInfo} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {denseMatMul} from './dense_matmul';

/** tf.matMul; takes the place of tfjs' own where `useFastMatMul` was called. */
export const batchMatMulConfig = kernelConfig<
  Record<'a' | 'b', TensorInfo>,
  BatchMatMulAttrs,
  MathBackendWebGL
>(BatchMatMul, 'webgl', ({inputs: {a, b}, attrs: {transposeA, transposeB}, backend}) =>
  denseMatMul(backend, {a, b, transposeA, transposeB}),
);
