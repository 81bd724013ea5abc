import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {
  _FusedMatMul,
  type _FusedMatMulAttrs,
  type _FusedMatMulInputs,
  type TensorInfo,
} from '@tensorflow/tfjs-core';
import {replacementConfig} from '../../kernel';
import {isFastFusedMatMul} from '../shared/fast_mat_mul';
import {denseMatMul} from './dense_matmul';
import {IS_NAN} from './nan_glsl';
import {type Program, runProgram} from './program';

const NEGATIVE = 'lessThan(x, vec4(0.0))';

/** GLSL of each activation that tf.fused knows; of NaN it is NaN. */
const ACTIVATIONS: Record<string, string> = {
  linear: 'x',
  relu: 'max(x, 0.0)',
  relu6: 'clamp(x, 0.0, 6.0)',
  elu: `mix(x, exp(x) - 1.0, ${NEGATIVE})`,
  sigmoid: '1.0 / (1.0 + exp(-x))',
  leakyrelu: `mix(x, x * alpha, ${NEGATIVE})`,
  prelu: `mix(x, x * slope, ${NEGATIVE})`,
};

/** tf.fused.matMul, which dense layers use: a second program adds the bias and applies the activation. */
export const fusedMatMulConfig = replacementConfig<
  _FusedMatMulInputs,
  _FusedMatMulAttrs,
  MathBackendWebGL
>(
  _FusedMatMul,
  'webgl',
  isFastFusedMatMul,
  ({inputs: {a, b, bias, preluActivationWeights}, attrs, backend}) => {
    const {transposeA, transposeB, activation = 'linear', leakyreluAlpha: alpha = 0.2} = attrs;
    const code = ACTIVATIONS[activation];
    if (code == null) {
      throw new Error(`matMul: activation must be one that tf.fused knows, got '${activation}'`);
    }
    const product = denseMatMul(backend, {a, b, transposeA, transposeB});
    if (bias == null && activation === 'linear') {
      return product;
    }
    const slopes = activation === 'prelu' ? preluActivationWeights : undefined;
    const result = runProgram(backend, epilogueProgram(code, bias, slopes), {
      inputs: {product, ...(bias && {bias}), ...(slopes && {slopes})},
      shape: product.shape,
      uniforms: {alpha},
    });
    backend.disposeIntermediateTensorInfo(product);
    return result;
  },
);

function epilogueProgram(
  activation: string,
  bias: TensorInfo | undefined,
  slopes: TensorInfo | undefined,
): Program {
  return {
    name: _FusedMatMul,
    inputs: {
      product: 'packed',
      ...(bias && {bias: 'packed'}),
      ...(slopes && {slopes: 'packed'}),
    },
    layout: 'packed',
    outputs: ['y'],
    uniforms: {alpha: 'float'},
    declarations: IS_NAN,
    main: `
      vec4 x = product(rowTexel, columnTexel)${bias ? ` + ${perColumn('bias', bias)}` : ''};
      ${slopes ? `vec4 slope = ${perColumn('slopes', slopes)};` : ''}
      y = mix(${activation}, x, isNaN(x));`,
  };
}

/** A vector over the columns, or one number for all. */
function perColumn(name: string, {shape}: TensorInfo): string {
  return shape.every((size) => size === 1)
    ? `vec4(${name}(0, 0).x)`
    : `${name}(0, columnTexel).xyxy`;
}
