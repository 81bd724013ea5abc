/** offsets [blockRows + 1] -> the block-row of every block; -1 from the last offset on. */
export function rowIndices(offsets: Int32Array, out: Int32Array) {
  out.fill(-1);
  for (let row = 0; row + 1 < offsets.length; row++) {
    out.fill(row, offsets[row], offsets[row + 1]);
  }
}
