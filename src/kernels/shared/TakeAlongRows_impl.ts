/** x [T, E], indices [T, k] -> out [T, k]: x at those columns. */
export function takeAlongRows(
  x: Float32Array,
  numColumns: number,
  indices: Int32Array,
  k: number,
  out: Float32Array,
) {
  for (let i = 0, begin = 0; i < indices.length; begin += numColumns) {
    for (const end = i + k; i < end; i++) {
      out[i] = x[begin + indices[i]];
    }
  }
}

/** dy [T, k], indices [T, k] -> out [T, E]: dy added at those columns, zero elsewhere. */
export function takeAlongRowsGrad(
  dy: Float32Array,
  indices: Int32Array,
  k: number,
  numColumns: number,
  out: Float32Array,
) {
  out.fill(0);
  for (let i = 0, begin = 0; i < indices.length; begin += numColumns) {
    for (const end = i + k; i < end; i++) {
      out[begin + indices[i]] += dy[i];
    }
  }
}
