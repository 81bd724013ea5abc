import type {CausalAttentionAttrs} from '../../kernel_names';
import type {MatMulProblem} from './mat_mul';

// Causal attention, one head and one block of queries at a time: the T x T scores exist only as a
// block of rows of one head, and only up to the diagonal. The backward pass computes them again.

/** What a backend does with the blocks; `scores` and `grads` are its scratch, [QUERY_BLOCK, T] each. */
export interface AttentionBlocks {
  /** c = a b (+ c) between any of the arrays below; offsets are into the one named. */
  matMul(a: Operand, b: Operand, c: Operand, problem: MatMulProblem): void;
  /** Turns `rows` rows of scores, `stride` apart, into probabilities up to each row's position. */
  softmax(rows: number, stride: number, firstPosition: number, scale: number): void;
  /** Turns the gradient of the probabilities into that of the unscaled scores. */
  softmaxGrad(rows: number, stride: number, firstPosition: number, scale: number): void;
}
export type Operand = 'qkv' | 'y' | 'dy' | 'dqkv' | 'scores' | 'grads';

export const QUERY_BLOCK = 64;

export interface AttentionShape {
  batch: number;
  length: number;
  hiddenSize: number;
  numHeads: number;
}

/** Reads the sizes off the shape of qkv. */
export function attentionShape(
  [batch, length, width]: number[],
  {numHeads}: CausalAttentionAttrs,
): AttentionShape {
  return {batch, length, hiddenSize: width / 3, numHeads};
}

interface Block {
  /** Where the queries, keys and values of this head begin in qkv, and its outputs in y. */
  query: number;
  key: number;
  value: number;
  output: number;
  first: number;
  rows: number;
  /** Positions that the last query of the block sees. */
  seen: number;
}

function forEachBlock(
  {batch, length, hiddenSize, numHeads}: AttentionShape,
  f: (block: Block) => void,
) {
  const headSize = hiddenSize / numHeads;
  for (let b = 0; b < batch; b++) {
    for (let head = 0; head < numHeads; head++) {
      const query = b * length * 3 * hiddenSize + head * headSize;
      for (let first = 0; first < length; first += QUERY_BLOCK) {
        const rows = Math.min(QUERY_BLOCK, length - first);
        f({
          query,
          key: query + hiddenSize,
          value: query + 2 * hiddenSize,
          output: b * length * hiddenSize + head * headSize,
          first,
          rows,
          seen: first + rows,
        });
      }
    }
  }
}

/** qkv [batch, T, 3 H] -> y [batch, T, H]. */
export function causalAttention(shape: AttentionShape, blocks: AttentionBlocks) {
  const {products, scale} = blockProducts(shape);
  forEachBlock(shape, (block) => {
    blocks.matMul('qkv', 'qkv', 'scores', products.scores(block));
    blocks.softmax(block.rows, shape.length, block.first, scale);
    blocks.matMul('scores', 'qkv', 'y', products.output(block));
  });
}

/** qkv, dy [batch, T, H] -> dqkv [batch, T, 3 H], which must be zero. */
export function causalAttentionGrad(shape: AttentionShape, blocks: AttentionBlocks) {
  const {products, scale} = blockProducts(shape);
  forEachBlock(shape, (block) => {
    blocks.matMul('qkv', 'qkv', 'scores', products.scores(block));
    blocks.softmax(block.rows, shape.length, block.first, scale);
    blocks.matMul('scores', 'dy', 'dqkv', products.valueGrad(block));
    blocks.matMul('dy', 'qkv', 'grads', products.probabilityGrad(block));
    blocks.softmaxGrad(block.rows, shape.length, block.first, scale);
    blocks.matMul('grads', 'qkv', 'dqkv', products.queryGrad(block));
    blocks.matMul('grads', 'qkv', 'dqkv', products.keyGrad(block));
  });
}

/** The six products of a block, as offsets and strides. */
function blockProducts({length, hiddenSize, numHeads}: AttentionShape) {
  const headSize = hiddenSize / numHeads;
  const qkvStride = 3 * hiddenSize;
  const products = {
    /** scores = q k' */
    scores: ({query, key, first, rows, seen}: Block): MatMulProblem => ({
      m: rows,
      n: seen,
      k: headSize,
      aOffset: query + first * qkvStride,
      aRowStride: qkvStride,
      aColumnStride: 1,
      bOffset: key,
      bRowStride: 1,
      bColumnStride: qkvStride,
      cOffset: 0,
      cRowStride: length,
      accumulate: false,
    }),
    /** y = p v */
    output: ({value, output, first, rows, seen}: Block): MatMulProblem => ({
      m: rows,
      n: headSize,
      k: seen,
      aOffset: 0,
      aRowStride: length,
      aColumnStride: 1,
      bOffset: value,
      bRowStride: qkvStride,
      bColumnStride: 1,
      cOffset: output + first * hiddenSize,
      cRowStride: hiddenSize,
      accumulate: false,
    }),
    /** dv += p' dy */
    valueGrad: ({value, output, first, rows, seen}: Block): MatMulProblem => ({
      m: seen,
      n: headSize,
      k: rows,
      aOffset: 0,
      aRowStride: 1,
      aColumnStride: length,
      bOffset: output + first * hiddenSize,
      bRowStride: hiddenSize,
      bColumnStride: 1,
      cOffset: value,
      cRowStride: qkvStride,
      accumulate: true,
    }),
    /** dp = dy v' */
    probabilityGrad: ({value, output, first, rows, seen}: Block): MatMulProblem => ({
      m: rows,
      n: seen,
      k: headSize,
      aOffset: output + first * hiddenSize,
      aRowStride: hiddenSize,
      aColumnStride: 1,
      bOffset: value,
      bRowStride: 1,
      bColumnStride: qkvStride,
      cOffset: 0,
      cRowStride: length,
      accumulate: false,
    }),
    /** dq = ds k */
    queryGrad: ({query, key, first, rows, seen}: Block): MatMulProblem => ({
      m: rows,
      n: headSize,
      k: seen,
      aOffset: 0,
      aRowStride: length,
      aColumnStride: 1,
      bOffset: key,
      bRowStride: qkvStride,
      bColumnStride: 1,
      cOffset: query + first * qkvStride,
      cRowStride: qkvStride,
      accumulate: false,
    }),
    /** dk += ds' q */
    keyGrad: ({query, key, first, rows, seen}: Block): MatMulProblem => ({
      m: seen,
      n: headSize,
      k: rows,
      aOffset: 0,
      aRowStride: 1,
      aColumnStride: length,
      bOffset: query + first * qkvStride,
      bRowStride: qkvStride,
      bColumnStride: 1,
      cOffset: key,
      cRowStride: qkvStride,
      accumulate: true,
    }),
  };
  return {products, scale: 1 / Math.sqrt(headSize)};
}
