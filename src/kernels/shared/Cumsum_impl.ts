/** x [batch, size] -> out [batch, size]: the sums along each row, of all before or up to each. */
export function cumsum(x: Int32Array, size: number, exclusive: boolean, out: Int32Array) {
  for (let begin = 0; begin < x.length; begin += size) {
    for (let i = begin, sum = 0; i < begin + size; i++) {
      const before = sum;
      sum += x[i];
      out[i] = exclusive ? before : sum;
    }
  }
}
