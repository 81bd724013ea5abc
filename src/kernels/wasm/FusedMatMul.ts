import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {
  _FusedMatMul,
  type _FusedMatMulAttrs,
  type _FusedMatMulInputs,
  getKernel,
  type NamedAttrMap,
  type NamedTensorInfoMap,
  type TensorInfo,
} from '@tensorflow/tfjs-core';
import {replacementConfig} from '../../kernel';
import {batchMatMulProblems} from '../shared/batch_mat_mul';
import {isFastMatMul, isOneRow} from '../shared/fast_mat_mul';
import {withMatMul} from './mat_mul';
import {floats, makeOutput} from './wasm_util';

/** tf.fused.matMul, which dense layers use; the bias is what the product accumulates onto. */
export const fusedMatMulConfig = replacementConfig<
  _FusedMatMulInputs,
  _FusedMatMulAttrs,
  BackendWasm
>(
  _FusedMatMul,
  'wasm',
  ({a, b, bias}) => isFastMatMul({a, b}) && isOneRow(bias),
  ({inputs: {a, b, bias, preluActivationWeights}, attrs, backend}) => {
    const {transposeA, transposeB, activation, leakyreluAlpha} = attrs;
    const {shape, problems} = batchMatMulProblems(
      a.shape,
      b.shape,
      transposeA,
      transposeB,
      bias != null,
    );
    const out = makeOutput(backend, shape, 'float32');
    if (bias != null) {
      fillRows(floats(backend, out), floats(backend, bias));
    }
    withMatMul(backend, a, b, out, (matMul) => problems.forEach(matMul));
    if (activation === 'linear' || activation == null) {
      return out;
    }
    const [kernelName, inputs, kernelAttrs] = activationKernel(
      activation,
      out,
      preluActivationWeights,
      leakyreluAlpha,
    );
    const {kernelFunc} = getKernel(kernelName, 'wasm');
    const result = kernelFunc({inputs, attrs: kernelAttrs, backend}) as TensorInfo;
    backend.disposeData(out.dataId);
    return result;
  },
);

function fillRows(out: Float32Array, row: Float32Array) {
  for (let i = 0; i < out.length; i += row.length) {
    out.set(row, i);
  }
}

/** The kernel of tfjs that computes a fused activation. */
function activationKernel(
  activation: string,
  x: TensorInfo,
  alpha: TensorInfo | undefined,
  leakyreluAlpha = 0.2,
): [string, NamedTensorInfoMap, NamedAttrMap] {
  switch (activation) {
    case 'relu':
      return ['Relu', {x}, {}];
    case 'relu6':
      return ['Relu6', {x}, {}];
    case 'elu':
      return ['Elu', {x}, {}];
    case 'sigmoid':
      return ['Sigmoid', {x}, {}];
    case 'leakyrelu':
      return ['LeakyRelu', {x}, {alpha: leakyreluAlpha}];
    case 'prelu':
      return ['Prelu', {x, alpha: alpha!}, {}];
    default:
      throw new Error(`matMul: activation must be one that tf.fused knows, got '${activation}'`);
  }
}
