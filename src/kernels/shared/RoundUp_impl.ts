/** The least multiple of `multiple` that is not below `value`. */
export function roundUpValue(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

/** x -> out, every element rounded up. */
export function roundUp(x: Int32Array, multiple: number, out: Int32Array) {
  for (let i = 0; i < x.length; i++) {
    out[i] = roundUpValue(x[i], multiple);
  }
}
