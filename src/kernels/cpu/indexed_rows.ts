// Rows of `size` floats moved by an index, `terms` a row: which row of the other matrix each term
// means; one out of range means none. Where there are weights, there is one a term.

/** Which rows, and with what weights. */
export interface IndexedRows {
  index: Int32Array;
  terms: number;
  weights?: Float32Array;
}

/** out[i] = the sum of x[index[i, j]] weights[i, j] over j, in this order; `out` must be zero. */
export function pullRows(
  {index, terms, weights}: IndexedRows,
  x: Float32Array,
  out: Float32Array,
  size: number,
) {
  const numSources = x.length / size;
  for (let term = 0, row = 0; term < index.length; row++) {
    let write = setRow;
    for (const end = term + terms; term < end; term++) {
      const source = index[term];
      if (source >= 0 && source < numSources) {
        write(weights == null ? 1 : weights[term], x, source * size, out, row * size, size);
        write = addRow;
      }
    }
  }
}

/** out[index[i, j]] = x[i] weights[i, j]; other rows stay as they are. */
export function pushRows(
  {index, terms, weights}: IndexedRows,
  x: Float32Array,
  out: Float32Array,
  size: number,
) {
  const numTargets = out.length / size;
  for (let term = 0, row = 0; term < index.length; row++) {
    for (const end = term + terms; term < end; term++) {
      const target = index[term];
      if (target >= 0 && target < numTargets) {
        setRow(weights == null ? 1 : weights[term], x, row * size, out, target * size, size);
      }
    }
  }
}

/** out[index[i]] += x[i], in the order of i. */
export function pushAddRows(index: Int32Array, x: Float32Array, out: Float32Array, size: number) {
  const numTargets = out.length / size;
  for (let row = 0; row < index.length; row++) {
    const target = index[row];
    if (target >= 0 && target < numTargets) {
      addRow(1, x, row * size, out, target * size, size);
    }
  }
}

/** out[i, j] = the product of x[index[i, j]] and y[i], summed; `out` must be zero. */
export function dotRows(
  {index, terms}: IndexedRows,
  x: Float32Array,
  y: Float32Array,
  out: Float32Array,
  size: number,
) {
  const numSources = x.length / size;
  for (let term = 0, row = 0; term < index.length; row++) {
    for (const end = term + terms; term < end; term++) {
      const source = index[term];
      if (source >= 0 && source < numSources) {
        out[term] = dot(x, source * size, y, row * size, size);
      }
    }
  }
}

/** From this size on, the copy that the engine provides outruns a loop. */
const MIN_COPY_SIZE = 16;

function setRow(
  scale: number,
  x: Float32Array,
  from: number,
  out: Float32Array,
  to: number,
  size: number,
) {
  if (scale === 1 && size >= MIN_COPY_SIZE) {
    out.set(x.subarray(from, from + size), to);
    return;
  }
  for (let i = 0; i < size; i++) {
    out[to + i] = scale * x[from + i];
  }
}

function addRow(
  scale: number,
  x: Float32Array,
  from: number,
  out: Float32Array,
  to: number,
  size: number,
) {
  for (let i = 0; i < size; i++) {
    out[to + i] += scale * x[from + i];
  }
}

function dot(x: Float32Array, fromX: number, y: Float32Array, fromY: number, size: number) {
  let sum = 0;
  for (let i = 0; i < size; i++) {
    sum += x[fromX + i] * y[fromY + i];
  }
  return sum;
}
