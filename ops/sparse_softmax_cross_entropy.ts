import {
  cast,
  mean,
  type Scalar,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
} from '@tensorflow/tfjs-core';
import {assert, assertTensor} from '../src/asserts';
import {inShape} from '../src/in_shape';
import {runKernel} from '../src/kernel';
import {SparseSoftmaxCrossEntropy, type SparseSoftmaxCrossEntropyInputs} from '../src/kernel_names';

const OP = 'sparseSoftmaxCrossEntropy';

/**
 * The cross-entropy of logits with integer labels, -log softmax(logits)[label], for every row. It
 * builds no one-hot and is stable for logits of any size.
 *
 * ```js
 * sparseSoftmaxCrossEntropy(tf.tensor1d([1], 'int32'), tf.tensor2d([[0, 0]])).print();  // [0.6931]
 * ```
 *
 * @param labels The shape of `logits` without its last axis, or with a last axis of 1 (as `model.fit`
 *     hands targets over), int32 or float32 with whole numbers. A label outside of 0 to V - 1 is
 *     ignored: its loss and its gradient are zero.
 * @param logits [..., V], float32.
 * @returns The losses, the shape of `logits` without its last axis. Differentiable in `logits`.
 * @throws If a shape or dtype differs from these.
 * @see tf.nn.sparse_softmax_cross_entropy_with_logits (in Python)
 */
export function sparseSoftmaxCrossEntropy(labels: Tensor, logits: Tensor): Tensor {
  assertTensor(OP, 'logits', logits, {dtype: 'float32'});
  assertTensor(OP, 'labels', labels);
  assert(logits.rank >= 1, () => `${OP}: logits must have rank 1 or more, got a scalar`);
  const shape = logits.shape.slice(0, -1);
  const vocabSize = logits.shape[logits.rank - 1];
  const rowLabels = labelsOfRows(OP, labels, shape);
  const {losses, logSums} = crossEntropyOfRows(
    inShape(logits, [rowLabels.size, vocabSize]) as Tensor2D,
    rowLabels,
  );
  logSums.dispose();
  return inShape(losses, shape);
}

/** Of every row of logits, its loss and the logarithm of the sum of its exponentials. */
export function crossEntropyOfRows(
  logits: Tensor2D,
  labels: Tensor1D,
): {losses: Tensor1D; logSums: Tensor1D} {
  const [losses, logSums] = runKernel<SparseSoftmaxCrossEntropyInputs, object, Tensor1D[]>(
    SparseSoftmaxCrossEntropy,
    {logits, labels},
  );
  return {losses, logSums};
}

/**
 * The same as a loss for `model.compile`: the mean over all rows.
 *
 * ```js
 * model.compile({optimizer: 'adam', loss: sparseSoftmaxCrossEntropyLoss});
 * ```
 *
 * @param labels [batch, ..., 1], whole numbers.
 * @param logits [batch, ..., V], float32: the last layer must not apply softmax.
 * @returns A scalar.
 */
export function sparseSoftmaxCrossEntropyLoss(labels: Tensor, logits: Tensor): Scalar {
  return mean(sparseSoftmaxCrossEntropy(labels, logits));
}

/** The label of every row, [N], int32; `shape` is that of the rows, without their own axis. */
export function labelsOfRows(op: string, labels: Tensor, shape: number[]): Tensor1D {
  assert(
    [shape.join(), [...shape, 1].join()].includes(labels.shape.join()),
    () => `${op}: labels must have shape [${shape}] or [${[...shape, 1]}], got [${labels.shape}]`,
  );
  return cast(inShape(labels, [labels.size]) as Tensor1D, 'int32');
}
