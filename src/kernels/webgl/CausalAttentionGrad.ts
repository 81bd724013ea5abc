import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {kernelConfig} from '../../kernel';
import {
  CausalAttentionGrad,
  type CausalAttentionGradAttrs,
  type CausalAttentionGradInputs,
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

// With p the probabilities and dp = dy v', scaled as the scores are: ds = p (dp - sum(p dp)) is the gradient
// for q k', and so dq = ds k, dk = ds' q and dv = p' dy.

/** Two rows a fragment: sum(p dp). */
const MEANS: Program = {
  name: CausalAttentionGrad,
  inputs: {probabilities: 'packed', grads: 'packed'},
  layout: 'packed',
  outputs: ['means'],
  main: `
    int last = rowTexel % out_rowTexels;
    for (int c = 0; c <= last; c++) {
      vec4 product = probabilities(rowTexel, c) * grads(rowTexel, c);
      means += vec4(product.x + product.y, 0.0, product.z + product.w, 0.0);
    }`,
};

const SCORE_GRADS: Program = {
  name: CausalAttentionGrad,
  inputs: {probabilities: 'packed', grads: 'packed', means: 'packed'},
  layout: 'packed',
  outputs: ['grad'],
  main: `
    if (columnTexel <= rowTexel % out_rowTexels) {
      grad = probabilities(rowTexel, columnTexel)
          * (grads(rowTexel, columnTexel) - means(rowTexel, 0).xxzz);
    }`,
};

/** The three products, one function each; the columns of a fragment say which it is of. */
function inputGradProgram(attention: Attention): Program {
  const product = (name: string, args: Parameters<typeof headProduct>[0]) => `
    vec4 ${name}(int batch, int row, int column) {
      vec4 y = vec4(0.0);
      ${headProduct(args, attention)}
      return y;
    }`;
  const isEven = attention.headSize % 2 === 0;
  const gradAt = `
    vec4 gradAt(int batch, int row, int column) {
      return column < hiddenSize ? queryGrad(batch, row, column)
          : column < 2 * hiddenSize ? keyGrad(batch, row, column - hiddenSize)
          : valueGrad(batch, row, column - 2 * hiddenSize);
    }`;
  return {
    name: CausalAttentionGrad,
    inputs: {probabilities: 'packed', scoreGrads: 'packed', qkv: 'packed', dy: 'packed'},
    layout: 'packed',
    outputs: ['dqkv'],
    uniforms: ATTENTION_UNIFORMS,
    declarations: [
      ADD_PRODUCT,
      product('queryGrad', {matrix: 'scoreGrads', rows: 'qkv', begin: 'keys', transposed: false}),
      product('keyGrad', {matrix: 'scoreGrads', rows: 'qkv', begin: 'queries', transposed: true}),
      product('valueGrad', {
        matrix: 'probabilities',
        rows: 'dy',
        begin: 'queries',
        transposed: true,
      }),
      gradAt,
    ].join('\n'),
    main: `
      int batch = rowTexel / out_rowTexels;
      int row = rowTexel - batch * out_rowTexels;
      int column = 2 * columnTexel;
      dqkv = gradAt(batch, row, column);
      ${
        // Where the hidden size is odd, the second column may be of the next part.
        isEven ? '' : 'dqkv.yw = gradAt(batch, row, column + 1).xz;'
      }`,
  };
}

export const causalAttentionGradConfig = kernelConfig<
  CausalAttentionGradInputs,
  CausalAttentionGradAttrs,
  MathBackendWebGL
>(CausalAttentionGrad, 'webgl', ({inputs: {qkv, dy}, attrs, backend}) => {
  const name = CausalAttentionGrad;
  const attention = attentionOf(qkv, attrs);
  const {batch, length, numHeads, uniforms, scoresShape: shape} = attention;
  const scores = rowProducts(backend, name, {left: qkv, right: qkv, part: 'keys'}, attention);
  const probabilities = causalSoftmax(backend, name, scores);
  const grads = rowProducts(backend, name, {left: dy, right: qkv, part: 'values'}, attention);
  const means = runProgram(backend, MEANS, {
    inputs: {probabilities, grads},
    shape: [batch * numHeads, length, 2],
  });
  const scoreGrads = runProgram(backend, SCORE_GRADS, {
    inputs: {probabilities, grads, means},
    shape,
  });
  const dqkv = runProgram(backend, inputGradProgram(attention), {
    inputs: {probabilities, scoreGrads, qkv, dy},
    shape: qkv.shape,
    uniforms,
  });
  [scores, probabilities, grads, means, scoreGrads].forEach((x) =>
    backend.disposeIntermediateTensorInfo(x),
  );
  return dqkv;
});
