type Values = Float32Array | Int32Array;

/** x [batch, E], bins [E] -> out [batch, numOutputs]; `out` must be zero. */
export function replicate(x: Values, bins: Int32Array, out: Values) {
  const numBins = bins.length;
  const batch = numBins === 0 ? 0 : x.length / numBins;
  const numOutputs = out.length / batch;
  for (let row = 0; row < batch; row++) {
    const first = row * numOutputs;
    for (let bin = 0, begin = 0, end; bin < numBins; bin++, begin = end) {
      end = within(numOutputs, bins[bin]);
      out.fill(x[row * numBins + bin], first + begin, first + end);
    }
  }
}

/** dy [batch, numOutputs], bins [E] -> out [batch, E]: the sum of dy over each bin. */
export function replicateGrad(dy: Float32Array, bins: Int32Array, out: Float32Array) {
  const numBins = bins.length;
  const batch = numBins === 0 ? 0 : out.length / numBins;
  const numOutputs = dy.length / batch;
  for (let row = 0; row < batch; row++) {
    for (let bin = 0, begin = 0, end; bin < numBins; bin++, begin = end) {
      end = within(numOutputs, bins[bin]);
      let sum = 0;
      for (let i = begin; i < end; i++) {
        sum += dy[row * numOutputs + i];
      }
      out[row * numBins + bin] = sum;
    }
  }
}

/** A bin, as a place from 0 to `size`: bins can say anything. */
function within(size: number, bin: number) {
  return Math.min(Math.max(bin, 0), size);
}
