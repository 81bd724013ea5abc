/** x [T, E] -> out [T, k]: the columns of the k largest of each row, descending. */
export function topKIndices(x: Float32Array, numColumns: number, k: number, out: Int32Array) {
  for (let begin = 0, top = 0; begin < x.length; begin += numColumns, top += k) {
    for (let column = 0; column < numColumns; column++) {
      const value = x[begin + column];
      let rank = column;
      if (column >= k) {
        rank = k - 1;
        if (!isGreater(value, x[begin + out[top + rank]])) {
          continue;
        }
      }
      for (; rank > 0 && isGreater(value, x[begin + out[top + rank - 1]]); rank--) {
        out[top + rank] = out[top + rank - 1];
      }
      out[top + rank] = column;
    }
  }
}

/** NaN is the greatest, so that it is selected and shows; equals are not, so the first stays first. */
function isGreater(a: number, b: number): boolean {
  return a > b || (Number.isNaN(a) && !Number.isNaN(b));
}
