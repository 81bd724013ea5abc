import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {kernelConfig} from '../../kernel';
import {
  CausalAttention,
  type CausalAttentionAttrs,
  type CausalAttentionInputs,
} from '../../kernel_names';
import {
  type Attention,
  ATTENTION_UNIFORMS,
  attentionOf,
  causalSoftmax,
  headProduct,
  rowProducts,
} from './attention';
import {ADD_PRODUCT} from './product_glsl';
import {type Program, runProgram} from './program';

function outputProgram(attention: Attention): Program {
  return {
    name: CausalAttention,
    inputs: {probabilities: 'packed', qkv: 'packed'},
    layout: 'packed',
    outputs: ['y'],
    uniforms: ATTENTION_UNIFORMS,
    declarations: ADD_PRODUCT,
    main: `
      int batch = rowTexel / out_rowTexels;
      int row = rowTexel - batch * out_rowTexels;
      int column = 2 * columnTexel;
      ${headProduct({matrix: 'probabilities', rows: 'qkv', begin: 'values', transposed: false}, attention)}`,
  };
}

export const causalAttentionConfig = kernelConfig<
  CausalAttentionInputs,
  CausalAttentionAttrs,
  MathBackendWebGL
>(CausalAttention, 'webgl', ({inputs: {qkv}, attrs, backend}) => {
  const attention = attentionOf(qkv, attrs);
  const {batch, length, hiddenSize, uniforms} = attention;
  const scores = rowProducts(
    backend,
    CausalAttention,
    {left: qkv, right: qkv, part: 'keys'},
    attention,
  );
  const probabilities = causalSoftmax(backend, CausalAttention, scores);
  const y = runProgram(backend, outputProgram(attention), {
    inputs: {probabilities, qkv},
    shape: [batch, length, hiddenSize],
    uniforms,
  });
  [scores, probabilities].forEach((x) => backend.disposeIntermediateTensorInfo(x));
  return y;
});
