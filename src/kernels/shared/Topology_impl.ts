/**
 * paddedBins [E] -> out [blockRows * blocksPerRow]: the block-rows of expert e hold the block columns
 * from e * blocksPerRow on; those beyond the last bin hold -1.
 */
export function topology(
  paddedBins: Int32Array,
  blockSize: number,
  blocksPerRow: number,
  out: Int32Array,
) {
  let begin = 0;
  for (let expert = 0; expert < paddedBins.length; expert++) {
    const end = Math.min((paddedBins[expert] / blockSize) * blocksPerRow, out.length);
    for (let i = begin; i < end; i++) {
      out[i] = expert * blocksPerRow + ((i - begin) % blocksPerRow);
    }
    begin = Math.max(begin, end);
  }
  out.fill(-1, begin);
}
