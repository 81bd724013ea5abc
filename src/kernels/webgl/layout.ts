import {util} from '@tensorflow/tfjs-core';

/**
 * How a tensor lies in its texture, in tfjs' two ways: 'flat', one element a texel, or 'packed', two by
 * two elements a texel, matrix by matrix.
 */
export type Layout = 'flat' | 'packed';

/** A tensor as matrices, one after another; of a packed one, each fills whole texels. */
export interface Matrices {
  batch: number;
  rows: number;
  columns: number;
  /** Texels along the rows and columns of one matrix. */
  rowTexels: number;
  columnTexels: number;
}

/** The last two axes are the matrix. */
export function matricesOf(shape: readonly number[]): Matrices {
  const [rows, columns] = [1, 1, ...shape].slice(-2);
  return {
    batch: util.sizeFromShape(shape.slice(0, -2)),
    rows,
    columns,
    rowTexels: Math.ceil(rows / 2),
    columnTexels: Math.ceil(columns / 2),
  };
}

/** Whether a packed tensor of one shape lies as one of another does, of as many elements. */
export function liesAlike(a: readonly number[], b: readonly number[]): boolean {
  const [x, y] = [matricesOf(a), matricesOf(b)];
  const wholeTexels = x.rows % 2 === 0 && y.rows % 2 === 0;
  return x.columns === y.columns && (x.rows === y.rows || wholeTexels);
}

/**
 * The height and width of a packed texture with whole rows of texels in every line: as few as fit below the
 * longest side, and a power of two. Null where a row is longer than that.
 */
export function linesOf(
  shape: readonly number[],
  longestSide: number,
): {height: number; width: number} | null {
  const {batch, rowTexels, columnTexels} = matricesOf(shape);
  let rowsPerLine = 1;
  while (Math.ceil((batch * rowTexels) / rowsPerLine) > longestSide) {
    rowsPerLine *= 2;
  }
  const height = Math.ceil((batch * rowTexels) / rowsPerLine);
  const width = rowsPerLine * columnTexels;
  return width <= longestSide ? {height, width} : null;
}

/** How many rows of texels lie in a line of a packed texture; 0 if not as `linesOf` has it. */
export function rowsPerLine(width: number, {columnTexels}: Matrices): number {
  const rows = width / columnTexels;
  return Number.isInteger(Math.log2(rows)) && rows >= 1 ? rows : 0;
}

/** How many texels a tensor takes. */
export function numTexels(shape: readonly number[], layout: Layout): number {
  if (layout === 'flat') {
    return util.sizeFromShape([...shape]);
  }
  const {batch, rowTexels, columnTexels} = matricesOf(shape);
  return batch * rowTexels * columnTexels;
}
