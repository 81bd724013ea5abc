import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {
  _FusedMatMul,
  type _FusedMatMulAttrs,
  type _FusedMatMulInputs,
  type TensorInfo,
} from '@tensorflow/tfjs-core';
import {replacementConfig} from '../../kernel';
import {isFastFusedMatMul} from '../shared/fast_mat_mul';
import {type DenseMatMul, denseMatMul} from './dense_matmul';
import {isNan} from './float_wgsl';

/** WGSL of each activation that tf.fused knows, for `x` of type vec4f; of NaN it is NaN. */
const ACTIVATIONS: Record<string, string> = {
  linear: 'x',
  relu: 'max(x, vec4f())',
  relu6: 'clamp(x, vec4f(), vec4f(6))',
  elu: 'select(exp(x) - 1.0, x, x >= vec4f())',
  sigmoid: '1.0 / (1.0 + exp(-x))',
  leakyrelu: 'select(x * uniforms.alpha, x, x >= vec4f())',
  prelu: 'select(x * slope, x, x >= vec4f())',
};

/** tf.fused.matMul, which dense layers use: the bias and the activation are in the epilogue. */
export const fusedMatMulConfig = replacementConfig<
  _FusedMatMulInputs,
  _FusedMatMulAttrs,
  WebGPUBackend
>(
  _FusedMatMul,
  'webgpu',
  isFastFusedMatMul,
  ({inputs: {a, b, bias, preluActivationWeights}, attrs, backend}) => {
    const {transposeA, transposeB, activation, leakyreluAlpha} = attrs;
    return denseMatMul(backend, {
      a,
      b,
      transposeA,
      transposeB,
      epilogue: epilogueOf(activation ?? 'linear', bias, preluActivationWeights, leakyreluAlpha),
    });
  },
);

function epilogueOf(
  activation: string,
  bias: TensorInfo | undefined,
  slopes: TensorInfo | undefined,
  alpha = 0.2,
): DenseMatMul['epilogue'] {
  const code = ACTIVATIONS[activation];
  if (code == null) {
    throw new Error(`matMul: activation must be one that tf.fused knows, got '${activation}'`);
  }
  if (bias == null && activation === 'linear') {
    return undefined;
  }
  const bias1 = bias && vectorName('bias', bias);
  const slopes1 = slopes && activation === 'prelu' ? vectorName('slopes', slopes) : undefined;
  const extras = [bias1, slopes1].filter((vector) => vector != null);
  const usesSlopes = slopes1 != null;
  return {
    variant: [activation, ...extras.map(({variant}) => variant)].join(' '),
    inputs: Object.fromEntries(extras.map(({name, tensor}) => [name, tensor])),
    inputTypes: Object.fromEntries(extras.map(({name}) => [name, 'f32'])),
    uniforms: activation === 'leakyrelu' ? {alpha} : undefined,
    declarations: `
      ${extras.map(({declaration}) => declaration).join('\n')}
      fn activate(x : vec4f${usesSlopes ? ', slope : vec4f' : ''}) -> vec4f {
        return select(${code}, x, ${isNan('vec4<f32>', 'x')});
      }`,
    apply: (value, column) => {
      const sum = bias1 == null ? value : `(${value} + ${bias1.read(column)})`;
      return `activate(${sum}${usesSlopes ? `, ${slopes1.read(column)}` : ''})`;
    },
  };
}

/** A vector over the columns, or one number for all. */
function vectorName(name: string, tensor: TensorInfo) {
  const isScalar = tensor.shape.every((size) => size === 1);
  const element = (i: number) =>
    isScalar ? `${name}[0]` : `${name}[min(column + ${i}u, uniforms.columns - 1u)]`;
  return {
    name,
    tensor,
    variant: `${name} ${isScalar}`,
    declaration: `
      fn read_${name}(column : u32) -> vec4f {
        return vec4f(${[0, 1, 2, 3].map(element).join(', ')});
      }`,
    read: (column: string) => `read_${name}(${column})`,
  };
}
