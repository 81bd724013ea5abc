/**
 * `upperBound_bins(value)` for a flat, ascending input `bins`: how many of its elements are at most
 * `value`, so the bin that position `value` lies in.
 */
export function upperBound(name: string): string {
  return `
    int upperBound_${name}(int value) {
      int low = 0;
      int high = ${name}_size;
      while (low < high) {
        int middle = (low + high) / 2;
        if (${name}Int(middle) <= value) {
          low = middle + 1;
        } else {
          high = middle;
        }
      }
      return low;
    }`;
}

/** `begin_bins(bin)`: where a bin of the inclusive sums `bins` begins. */
export function beginOf(name: string): string {
  return `
    int begin_${name}(int bin) {
      return bin == 0 ? 0 : ${name}Int(bin - 1);
    }`;
}
