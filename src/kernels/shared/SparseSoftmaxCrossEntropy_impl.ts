/**
 * logSums [N] = log(sum of exp(logits - largest)) + largest, from the sums and the largest logit of
 * every row, and losses [N] = logSums - logits[label]. A label out of range is ignored: both are zero.
 */
export function crossEntropyLosses(
  logits: Float32Array,
  labels: Int32Array,
  sums: Float32Array,
  largest: Float32Array,
  losses: Float32Array,
  logSums: Float32Array,
) {
  const vocabSize = logits.length / labels.length;
  for (let row = 0; row < labels.length; row++) {
    const label = labels[row];
    const ignored = label < 0 || label >= vocabSize;
    const logSum = Math.log(sums[row]);
    logSums[row] = ignored ? 0 : logSum + largest[row];
    // The difference of the two largest terms comes first: it is exact where it matters.
    losses[row] = ignored ? 0 : logSum + (largest[row] - logits[row * vocabSize + label]);
  }
}

/** What the gradient (softmax - one-hot) dy takes of each row: dy, zero for a label out of range. */
export function crossEntropyFactors(
  vocabSize: number,
  labels: Int32Array,
  dy: Float32Array,
  factors: Float32Array,
) {
  for (let row = 0; row < labels.length; row++) {
    const ignored = labels[row] < 0 || labels[row] >= vocabSize;
    factors[row] = ignored ? 0 : dy[row];
  }
}

/** Takes `factors` off the gradient at each label. */
export function subtractAtLabels(labels: Int32Array, factors: Float32Array, out: Float32Array) {
  const vocabSize = out.length / labels.length;
  for (let row = 0; row < labels.length; row++) {
    if (labels[row] >= 0 && labels[row] < vocabSize) {
      out[row * vocabSize + labels[row]] -= factors[row];
    }
  }
}
