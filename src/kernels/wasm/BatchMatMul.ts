import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {BatchMatMul, type BatchMatMulAttrs, type TensorInfo} from '@tensorflow/tfjs-core';
import {replacementConfig} from '../../kernel';
import {batchMatMulProblems} from '../shared/batch_mat_mul';
import {isFastMatMul} from '../shared/fast_mat_mul';
import {withMatMul} from './mat_mul';
import {makeOutput} from './wasm_util';

/** tf.matMul on the SIMD product; takes the place of tfjs' own where `useFastMatMul` was called. */
export const batchMatMulConfig = replacementConfig<
  Record<'a' | 'b', TensorInfo>,
  BatchMatMulAttrs,
  BackendWasm
>(
  BatchMatMul,
  'wasm',
  isFastMatMul,
  ({inputs: {a, b}, attrs: {transposeA, transposeB}, backend}) => {
    const {shape, problems} = batchMatMulProblems(a.shape, b.shape, transposeA, transposeB, false);
    const out = makeOutput(backend, shape, 'float32');
    withMatMul(backend, a, b, out, (matMul) => problems.forEach(matMul));
    return out;
  },
);
