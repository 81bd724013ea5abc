/** The sizes that decide what a step costs. */
export interface TransformerSize {
  numLayers: number;
  hiddenSize: number;
  /** F of the dense feed-forward or of one expert. */
  ffnHiddenSize: number;
  sequenceLength: number;
  vocabSize: number;
  /** Experts that compute for each token: K, times the capacity factor where slots are padded. */
  expertsPerToken?: number;
  /** E, what the router chooses from; none where the feed-forward is dense. */
  numExperts?: number;
}

/**
 * The floating-point operations of a training step for one token: two a multiply-add, in products
 * only, the backward pass counted twice the forward one, attention over the whole sequence. Times
 * the sequence length this is the GFLOP column of the paper.
 *
 * @see Gale et al. (2023), table 1; Narayanan et al. (2021), without recomputation
 */
export function flopsPerToken({
  numLayers,
  hiddenSize,
  ffnHiddenSize,
  sequenceLength,
  vocabSize,
  expertsPerToken = 1,
  numExperts = 0,
}: TransformerSize): number {
  const projections = 4 * hiddenSize * hiddenSize; // Query, key, value, output.
  const attention = 2 * sequenceLength * hiddenSize; // Scores, and the sum they weight.
  const feedForward = 2 * hiddenSize * ffnHiddenSize * expertsPerToken;
  const router = hiddenSize * numExperts;
  const logits = hiddenSize * vocabSize;
  const multiplyAdds = numLayers * (projections + attention + feedForward + router) + logits;
  return 3 * 2 * multiplyAdds;
}
