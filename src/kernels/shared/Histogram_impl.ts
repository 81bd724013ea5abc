/** x [batch, N] -> out [batch, max]: how often each of 0 .. max - 1 occurs in each row. */
export function histogram(x: Int32Array, max: number, out: Int32Array) {
  out.fill(0);
  if (max === 0) {
    return;
  }
  const batch = out.length / max;
  const size = x.length / batch;
  for (let row = 0, i = 0; row < batch; row++) {
    for (const end = i + size; i < end; i++) {
      if (x[i] >= 0 && x[i] < max) {
        out[row * max + x[i]]++;
      }
    }
  }
}
