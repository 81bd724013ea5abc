type Values = Float32Array | Int32Array;

/** x [batch, E], bins [E] -> out [batch, numOutputs]; `out` must be zero. */
export function replicate(x: Values, bins: Int32Array, out: Values) {
  const numBins = bins.length;
  const batch = numBins === 0 ? 0 : x.length / numBins;
  const numOutputs = out.length / batch;
  for (let row = 0; row < batch; row++) {
    for (let bin = 0, begin = 0; bin < numBins; begin = bins[bin++]) {
      out.fill(
        x[row * numBins + bin],
        row * numOutputs + Math.min(begin, numOutputs),
        row * numOutputs + Math.min(bins[bin], numOutputs),
      );
    }
  }
}

/** dy [batch, numOutputs], bins [E] -> out [batch, E]: the sum of dy over each bin. */
export function replicateGrad(dy: Float32Array, bins: Int32Array, out: Float32Array) {
  const numBins = bins.length;
  const batch = numBins === 0 ? 0 : out.length / numBins;
  const numOutputs = dy.length / batch;
  for (let row = 0; row < batch; row++) {
    for (let bin = 0, begin = 0; bin < numBins; begin = bins[bin++]) {
      let sum = 0;
      for (let i = begin; i < Math.min(bins[bin], numOutputs); i++) {
        sum += dy[row * numOutputs + i];
      }
      out[row * numBins + bin] = sum;
    }
  }
}
