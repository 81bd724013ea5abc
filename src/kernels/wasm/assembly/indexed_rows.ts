// Rows of `size` floats moved by an index, [rows, terms] int32: which row of the other matrix each
// term means; one out of range means none. Where there are weights (address 0 says there are none),
// there is one a term. Multiplying by 1 costs nothing beside the memory, so rows without weights
// take the same path.
import {addRow, dot, setRow} from './rows';

// @ts-ignore: decorator
@inline
function weightAt(weights: usize, term: usize): f32 {
  return weights != 0 ? load<f32>(weights + (term << 2)) : 1;
}

/** out[i] = the sum of x[sources[i, j]] weights[i, j] over j, in this order. */
export function pullRows(
  rows: i32, terms: i32, size: i32, x: usize, sources: usize, numSources: u32, weights: usize,
  out: usize,
): void {
  const rowBytes = <usize>size << 2;
  for (let row = 0, term: usize = 0; row < rows; row++) {
    let isEmpty = true;
    for (let j = 0; j < terms; j++, term++) {
      const source = load<u32>(sources + (term << 2));
      if (source >= numSources) continue;
      const from = x + <usize>source * rowBytes;
      if (isEmpty) setRow(size, weightAt(weights, term), from, out);
      else addRow(size, weightAt(weights, term), from, out);
      isEmpty = false;
    }
    if (isEmpty) memory.fill(out, 0, rowBytes);
    out += rowBytes;
  }
}

/** out[targets[i, j]] = x[i] weights[i, j]; other rows stay as they are. */
export function pushRows(
  rows: i32, terms: i32, size: i32, x: usize, targets: usize, numTargets: u32, weights: usize,
  out: usize,
): void {
  const rowBytes = <usize>size << 2;
  for (let row = 0, term: usize = 0; row < rows; row++) {
    for (let j = 0; j < terms; j++, term++) {
      const target = load<u32>(targets + (term << 2));
      if (target < numTargets) {
        setRow(size, weightAt(weights, term), x, out + <usize>target * rowBytes);
      }
    }
    x += rowBytes;
  }
}

/** out[targets[i]] += x[i], in the order of i. */
export function pushAddRows(
  rows: i32, size: i32, x: usize, targets: usize, numTargets: u32, out: usize,
): void {
  const rowBytes = <usize>size << 2;
  for (let row = 0; row < rows; row++) {
    const target = load<u32>(targets + (<usize>row << 2));
    if (target < numTargets) addRow(size, 1, x, out + <usize>target * rowBytes);
    x += rowBytes;
  }
}

/** out[i, j] = the product of x[sources[i, j]] and y[i], summed; zero for none. */
export function dotRows(
  rows: i32, terms: i32, size: i32, x: usize, sources: usize, numSources: u32, y: usize, out: usize,
): void {
  const rowBytes = <usize>size << 2;
  for (let row = 0, term: usize = 0; row < rows; row++) {
    for (let j = 0; j < terms; j++, term++) {
      const source = load<u32>(sources + (term << 2));
      const product = source < numSources ? dot(size, x + <usize>source * rowBytes, y) : <f32>0;
      store<f32>(out + (term << 2), product);
    }
    y += rowBytes;
  }
}
