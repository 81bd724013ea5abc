import type {TensorInfo} from '@tensorflow/tfjs-core';
import type {PermutationAttrs, PermutationIndex} from '../../kernel_names';

/** The values of a permutation's index, with its attributes. */
export type Permutation = Record<keyof PermutationIndex, Int32Array> & PermutationAttrs;

/** Reads the index of a permutation through a backend's own `ints`. */
export function readPermutation(
  {indices, bins, paddedBins}: PermutationIndex,
  attrs: PermutationAttrs,
  ints: (x: TensorInfo) => Int32Array,
): Permutation {
  return {indices: ints(indices), bins: ints(bins), paddedBins: ints(paddedBins), ...attrs};
}

/** The shape of routed rows in `layout`. */
export function routedShape(
  {layout, numRows}: PermutationAttrs,
  numExperts: number,
  hiddenSize: number,
): number[] {
  return layout === 'binned' ? [numExperts, numRows, hiddenSize] : [numRows, hiddenSize];
}

/** How many rows there are in `layout`. */
export function numRoutedRows({layout, numRows, bins}: Permutation): number {
  return layout === 'binned' ? bins.length * numRows : numRows;
}

/** Writes to rows [N] in which row in `layout` each copy lies; -1 where it was dropped. */
export function rowOfCopy(permutation: Permutation, rows: Int32Array): Int32Array {
  const {indices} = permutation;
  rows.fill(-1);
  forEachExpert(permutation, (position, row, count) => {
    for (let i = 0; i < count; i++) {
      rows[indices[position + i]] = row + i;
    }
  });
  return rows;
}

/**
 * Visits the ranges of rows in `layout` that no copy fills, by the row of each copy: beside those between the
 * experts, the row of a copy that has another, too, or that there is not.
 */
export function forEachGap(
  permutation: Permutation,
  rows: Int32Array,
  visit: (begin: number, end: number) => void,
) {
  const {indices} = permutation;
  let begin = 0;
  const fillUntil = (end: number) => {
    if (begin < end) {
      visit(begin, end);
    }
  };
  forEachExpert(permutation, (position, row, count) => {
    fillUntil(row);
    for (let i = 0; i < count; i++) {
      if (rows[indices[position + i]] !== row + i) {
        visit(row + i, row + i + 1);
      }
    }
    begin = Math.max(begin, row + count);
  });
  fillUntil(numRoutedRows(permutation));
}

/** Visits each expert's rows: `count` of them lie from `row` on, sorted from `position` on. */
function forEachExpert(
  {indices, bins, paddedBins, layout, numRows}: Permutation,
  visit: (position: number, row: number, count: number) => void,
) {
  const binned = layout === 'binned';
  for (let expert = 0; expert < bins.length; expert++) {
    const position = expert === 0 ? 0 : bins[expert - 1];
    const begin = expert === 0 ? 0 : paddedBins[expert - 1];
    const row = binned ? expert * numRows : begin;
    const room = binned ? numRows : numRows - begin;
    const count = Math.min(bins[expert], indices.length) - position;
    if (Math.min(count, room) > 0) {
      visit(position, row, Math.min(count, room));
    }
  }
}
