import {
  add,
  clone,
  concat,
  dispose,
  fill,
  matMul,
  mul,
  reshape,
  type Scalar,
  slice,
  sum,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  tidy,
} from '@tensorflow/tfjs-core';
import {assert, assertCount, assertTensor} from '../src/asserts';
import {runKernel} from '../src/kernel';
import {
  SparseSoftmaxCrossEntropyGrad,
  type SparseSoftmaxCrossEntropyGradInputs,
} from '../src/kernel_names';
import {currentTape, withGradient, withoutTape} from '../src/tape';
import {crossEntropyOfRows, labelsOfRows} from './sparse_softmax_cross_entropy';

const OP = 'linearCrossEntropyLoss';

/** Large enough that the products of a chunk fill a GPU. */
const MAX_LOGITS_BYTES = 2 ** 29;
/** The rows of a chunk are a multiple of the tiles of products, where that many fit. */
const ROWS_OF_TILE = 128;

/**
 * The mean cross-entropy of the logits `hidden table'` with integer labels, which never holds all
 * logits: it turns some rows at a time into losses and gradients. So neither the memory for a language
 * model's logits nor the limit of one buffer bounds the batch.
 *
 * It is `sparseSoftmaxCrossEntropyLoss(labels, tf.matMul(hidden, table, false, true))`. Differentiable
 * once, in `hidden` and `table`: where a gradient is being taken, it is computed along with the loss.
 *
 * ```js
 * linearCrossEntropyLoss(tf.tensor1d([1], 'int32'), tf.ones([1, 3]), tf.ones([2, 3])).print();  // 0.6931
 * ```
 *
 * @param labels The shape of `hidden` without its last axis, or with a last axis of 1 (as `model.fit`
 *     hands targets over), int32 or float32 with whole numbers. A label outside of 0 to V - 1 is ignored:
 *     its loss and its gradient are zero.
 * @param hidden [..., H], float32, at least one row.
 * @param table The output layer's weights, [V, H], float32.
 * @param options `maxLogitsBytes`: of the logits that are held at a time, 512 MiB by default.
 * @returns A scalar: the mean over all rows.
 * @throws If a shape or dtype differs from these, or `maxLogitsBytes` is not a positive integer.
 * @see Hsu et al., Liger Kernel (2024): FusedLinearCrossEntropy
 */
export function linearCrossEntropyLoss(
  labels: Tensor,
  hidden: Tensor,
  table: Tensor2D,
  {maxLogitsBytes = MAX_LOGITS_BYTES}: {maxLogitsBytes?: number} = {},
): Scalar {
  assertTensor(OP, 'hidden', hidden, {dtype: 'float32'});
  assert(
    hidden.rank >= 1 && hidden.size > 0,
    () => `${OP}: hidden must have a last axis and at least one row, got shape [${hidden.shape}]`,
  );
  const shape = hidden.shape.slice(0, -1);
  const hiddenSize = hidden.shape[hidden.rank - 1];
  assertTensor(OP, 'table', table, {dtype: 'float32', shape: [null, hiddenSize]});
  assertTensor(OP, 'labels', labels);
  assertCount(OP, 'maxLogitsBytes', maxLogitsBytes, {min: 1});

  return tidy(() => {
    const rows = reshape(hidden, [-1, hiddenSize]) as Tensor2D;
    const rowLabels = labelsOfRows(OP, labels, shape);
    const chunks = chunksOf(rows.shape[0], Math.floor(maxLogitsBytes / (4 * table.shape[0])));
    const withGradients = currentTape() != null;
    const {loss, grads} = withoutTape(() =>
      overChunks(chunks, rows, table, rowLabels, withGradients),
    );
    return withGradient([rows, table], (_, save) => {
      save(grads);
      return {
        value: clone(loss),
        gradFunc: (dy: Tensor, grads: Tensor[]) => grads.map((grad) => mul(grad, dy)),
      };
    }) as Scalar;
  });
}

/** The mean loss of all rows, and its gradients for the rows and the table where asked. */
function overChunks(
  chunks: Chunk[],
  rows: Tensor2D,
  table: Tensor2D,
  labels: Tensor1D,
  withGradients: boolean,
): {loss: Scalar; grads: Tensor2D[]} {
  const [numRows, hiddenSize] = rows.shape;
  const rowsGrads: Tensor2D[] = [];
  let sums: {loss?: Scalar; tableGrad?: Tensor2D} = {};
  for (const {begin, size} of chunks) {
    const {rowsGrad, ...next} = tidy(() => {
      const chunk = slice(rows, [begin, 0], [size, hiddenSize]);
      const {loss, logitsGrad} = crossEntropy(
        matMul(chunk, table, false, true),
        slice(labels, begin, size),
        numRows,
        withGradients,
      );
      return {
        loss: sumOf(sums.loss, loss),
        ...(logitsGrad && {
          rowsGrad: matMul(logitsGrad, table) as Tensor2D,
          tableGrad: sumOf(sums.tableGrad, matMul(logitsGrad, chunk, true)),
        }),
      };
    });
    dispose(sums);
    sums = next;
    if (rowsGrad != null) {
      rowsGrads.push(rowsGrad);
    }
  }
  const {loss, tableGrad} = sums;
  return {loss: loss!, grads: tableGrad == null ? [] : [concat(rowsGrads), tableGrad]};
}

/** The sum of the rows' losses, divided by `numRows`, and its gradient for their logits where asked. */
function crossEntropy(
  logits: Tensor2D,
  labels: Tensor1D,
  numRows: number,
  withGradient: boolean,
): {loss: Scalar; logitsGrad?: Tensor2D} {
  const {losses, logSums} = crossEntropyOfRows(logits, labels);
  const loss = mul<Scalar>(sum(losses), 1 / numRows);
  if (!withGradient) {
    return {loss};
  }
  const dy = fill([labels.size], 1 / numRows);
  const logitsGrad = runKernel<SparseSoftmaxCrossEntropyGradInputs, object, Tensor2D>(
    SparseSoftmaxCrossEntropyGrad,
    {logits, labels, logSums, dy},
  );
  return {loss, logitsGrad};
}

function sumOf<T extends Tensor>(a: T | undefined, b: T): T {
  return a == null ? b : add(a, b);
}

/** A range of rows. */
interface Chunk {
  begin: number;
  size: number;
}

/** Chunks of at most `most` rows, or of one. */
function chunksOf(numRows: number, most: number): Chunk[] {
  const tiles = Math.floor(most / ROWS_OF_TILE) * ROWS_OF_TILE;
  const step = Math.max(1, tiles || most);
  return Array.from({length: Math.ceil(numRows / step)}, (_, i) => ({
    begin: i * step,
    size: Math.min(step, numRows - i * step),
  }));
}
