import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import type {TensorInfo} from '@tensorflow/tfjs-core';
import type {CausalAttentionAttrs} from '../../kernel_names';
import {type AttentionShape, attentionShape} from '../shared/CausalAttention_impl';
import {EXPONENTIAL} from './nan_glsl';
import {ADD_PRODUCT} from './product_glsl';
import {TRANSPOSED} from './product_tile';
import {type Program, runProgram} from './program';

// Causal attention, in matrices [batch * numHeads, T, T] of which only what lies up to the diagonal is
// computed. The heads lie side by side in qkv: where their size is odd, two columns of a texel may be of
// two heads, and matrices are read element by element.

/** The sizes, and what the programs have of them. */
export interface Attention extends AttentionShape {
  headSize: number;
  uniforms: {numHeads: number; headSize: number; hiddenSize: number; scale: number};
  /** The shape of the matrices. */
  scoresShape: number[];
}

export const ATTENTION_UNIFORMS = {
  numHeads: 'int',
  headSize: 'int',
  hiddenSize: 'int',
  scale: 'float',
} as const;

export function attentionOf(qkv: TensorInfo, attrs: CausalAttentionAttrs): Attention {
  const shape = attentionShape(qkv.shape, attrs);
  const {batch, length, hiddenSize, numHeads} = shape;
  const headSize = hiddenSize / numHeads;
  return {
    ...shape,
    headSize,
    uniforms: {numHeads, headSize, hiddenSize, scale: 1 / Math.sqrt(headSize)},
    scoresShape: [batch * numHeads, length, length],
  };
}

/** What part of qkv a head reads, as where its columns begin. */
const PARTS = {queries: '0', keys: 'hiddenSize', values: '2 * hiddenSize'};

/**
 * The products of the rows of a head with those of another, [batch * numHeads, T, T]: queries with keys, or
 * dy with values.
 */
export function rowProducts(
  backend: MathBackendWebGL,
  name: string,
  {left, right, part}: {left: TensorInfo; right: TensorInfo; part: 'keys' | 'values'},
  {headSize, uniforms, scoresShape}: Attention,
): TensorInfo {
  const isEven = headSize % 2 === 0;
  const read = (operand: string, rowTexel: string, begin: string) =>
    isEven
      ? `${operand}(batch * ${operand}_rowTexels + ${rowTexel}, (${begin} + head * headSize) / 2 + k)`
      : `${operand}Quad(2 * (batch * ${operand}_rowTexels + ${rowTexel}), ${begin} + head * headSize + 2 * k)`;
  const a = read('left', 'row', PARTS.queries);
  const b = read('right', 'columnTexel', PARTS[part]);
  const program: Program = {
    name,
    inputs: {left: 'packed', right: 'packed'},
    layout: 'packed',
    outputs: ['product'],
    uniforms: ATTENTION_UNIFORMS,
    declarations: ADD_PRODUCT,
    main: `
      int matrix = rowTexel / out_rowTexels;
      int row = rowTexel - matrix * out_rowTexels;
      int batch = matrix / numHeads;
      int head = matrix - batch * numHeads;
      if (columnTexel > row) {
        return;
      }
      vec4 sum = vec4(0.0);
      for (int k = 0; k < headSize / 2; k++) {
        addProduct(sum, ${a}, ${b}.${TRANSPOSED});
      }
      ${
        isEven
          ? ''
          : `
      int k = headSize / 2;
      sum += ${a}.xxzz * ${b}.xzxz;`
      }
      product = sum * scale;`,
  };
  return runProgram(backend, program, {inputs: {left, right}, shape: scoresShape, uniforms});
}

/** Two rows of scores a fragment: the largest of each, and the inverse of the sum of what is left. */
const SOFTMAX_STATISTICS = `
  int row = 2 * (rowTexel % out_rowTexels);
  vec2 largest = vec2(-3.0e38);
  for (int c = 0; c <= row / 2; c++) {
    vec4 x = scores(rowTexel, c);
    largest.x = max(largest.x, 2 * c + 1 <= row ? max(x.x, x.y) : x.x);
    largest.y = max(largest.y, max(x.z, x.w));
  }
  vec2 sum = vec2(0.0);
  for (int c = 0; c <= row / 2; c++) {
    vec4 x = exponential(scores(rowTexel, c) - largest.xxyy);
    sum += vec2(x.x + (2 * c + 1 <= row ? x.y : 0.0), x.z + x.w);
  }
  statistics = vec4(largest.x, 1.0 / sum.x, largest.y, 1.0 / sum.y);`;

/** The probabilities of scores [batch * numHeads, T, T]: zero beyond the diagonal. */
export function causalSoftmax(
  backend: MathBackendWebGL,
  name: string,
  scores: TensorInfo,
): TensorInfo {
  const [matrices, length] = scores.shape;
  const statistics = runProgram(
    backend,
    {
      name,
      inputs: {scores: 'packed'},
      layout: 'packed',
      outputs: ['statistics'],
      declarations: EXPONENTIAL,
      main: SOFTMAX_STATISTICS,
    },
    {inputs: {scores}, shape: [matrices, length, 2]},
  );
  const probabilities = runProgram(
    backend,
    {
      name,
      inputs: {scores: 'packed', statistics: 'packed'},
      layout: 'packed',
      outputs: ['probability'],
      declarations: EXPONENTIAL,
      main: `
        int row = rowTexel % out_rowTexels;
        if (columnTexel <= row) {
          vec4 s = statistics(rowTexel, 0);
          probability = exponential(scores(rowTexel, columnTexel) - s.xxzz) * s.yyww;
          probability.y = columnTexel == row ? 0.0 : probability.y;
        }`,
    },
    {inputs: {scores, statistics}, shape: scores.shape},
  );
  backend.disposeIntermediateTensorInfo(statistics);
  return probabilities;
}

/** Which product of a head's matrix with its rows. */
export interface HeadProduct {
  /** The name of the input with the matrices, and of the one with the rows. */
  matrix: string;
  rows: string;
  /** Where the columns of the first head begin. */
  begin: keyof typeof PARTS;
  /** Whether the matrix is transposed, so that it meets the rows from the diagonal on. */
  transposed: boolean;
}

/** Of both axes of the matrices, whether the size is odd. */
interface HeadSizes {
  headSize: number;
  length: number;
}

/**
 * GLSL that sets `y` to 2 x 2 elements of the product, in the row of texels `row` of batch `batch`, from
 * column `column` of all heads' columns on.
 */
export function headProduct(product: HeadProduct, {headSize, length}: HeadSizes): string {
  return headSize % 2 === 0 ? texelProduct(product, length % 2 === 1) : elementProduct(product);
}

/** Where the length is odd, the last texels have one position and what lies beyond, which may be anything. */
function texelProduct({matrix, rows, begin, transposed}: HeadProduct, isOdd: boolean): string {
  const a = transposed ? `${matrix}(first + k, row).${TRANSPOSED}` : `${matrix}(first + row, k)`;
  const b = `${rows}(batch * ${rows}_rowTexels + k, (${PARTS[begin]} + column) / 2)`;
  const last = `${matrix}_rows / 2`;
  return `
    int head = column / headSize;
    int first = (batch * numHeads + head) * ${matrix}_rowTexels;
    int end = ${transposed ? last : `min(row + 1, ${last})`};
    vec4 sum = vec4(0.0);
    for (int k = ${transposed ? 'row' : '0'}; k < end; k++) {
      addProduct(sum, ${a}, ${b});
    }
    ${
      isOdd
        ? `
    if (${transposed ? 'true' : `row == ${last}`}) {
      int k = ${last};
      sum += ${a}.xxzz * ${b}.xyxy;
    }`
        : ''
    }
    y = sum;`;
}

function elementProduct({matrix, rows, begin, transposed}: HeadProduct): string {
  const value = transposed
    ? `${matrix}Value(first + k, position)`
    : `${matrix}Value(first + position, k)`;
  return `
    for (int element = 0; element < 4; element++) {
      int position = 2 * row + element / 2;
      int c = column + element % 2;
      if (position >= ${matrix}_rows || c >= hiddenSize) {
        continue;
      }
      int first = (batch * numHeads + c / headSize) * 2 * ${matrix}_rowTexels;
      float sum = 0.0;
      for (int k = ${transposed ? 'position' : '0'}; k < ${transposed ? `${matrix}_rows` : 'position + 1'}; k++) {
        sum += ${value} * ${rows}Value(batch * 2 * ${rows}_rowTexels + k, ${PARTS[begin]} + c);
      }
      y[element] = sum;
    }`;
}
