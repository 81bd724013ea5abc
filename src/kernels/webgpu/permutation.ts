import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import type {TensorInfo} from '@tensorflow/tfjs-core';
import type {PermutationAttrs, PermutationIndex, PermutationLayout} from '../../kernel_names';
import {type ElementType, makeOutput, runProgram, workgroupsFor} from './program';

// Where routed rows lie. A sorted position is in the bin of its expert, whose rows lie together.

const WORKGROUP_SIZE = 256;

/** The inputs and uniforms of a lookup, and the WGSL function that looks up. */
interface Lookup {
  types: Record<string, ElementType>;
  inputs: Record<string, TensorInfo>;
  uniforms: Record<'numBins' | 'numCopies' | 'layoutRows', number>;
  declarations: string;
}

/** The first bin that ends after `value`: binary search. */
function findBin(name: string, bins: string): string {
  return `
    fn ${name}(value : i32) -> i32 {
      var low = 0;
      var high = uniforms.numBins;
      while (low < high) {
        let middle = (low + high) / 2;
        if (${bins}[middle] <= value) { low = middle + 1; } else { high = middle; }
      }
      return low;
    }`;
}

/** The element before that of `bin`, which is where the bin begins. */
function begin(bins: string): string {
  return `select(0, ${bins}[max(bin - 1, 0)], bin > 0)`;
}

/** Positions from the last bin or the last copy on hold nothing. */
const NUM_FILLED = `
    fn numFilled() -> i32 {
      if (uniforms.numBins == 0) { return 0; }
      return min(bins[uniforms.numBins - 1], uniforms.numCopies);
    }`;

/** `positionOf(row)`: the sorted position of a row in the layout; -1 where no copy fills it. */
const POSITION_OF: Record<PermutationLayout, string> = {
  packed: `${NUM_FILLED}
    fn positionOf(row : i32) -> i32 { return select(-1, row, row < numFilled()); }`,
  padded: `${findBin('findPaddedBin', 'paddedBins')}
    fn positionOf(row : i32) -> i32 {
      let bin = findPaddedBin(row);
      if (bin >= uniforms.numBins) { return -1; }
      let position = ${begin('bins')} + row - ${begin('paddedBins')};
      return select(-1, position, position < min(bins[bin], uniforms.numCopies));
    }`,
  binned: `
    fn positionOf(row : i32) -> i32 {
      let bin = row / uniforms.layoutRows;
      let position = ${begin('bins')} + row % uniforms.layoutRows;
      return select(-1, position, position < min(bins[bin], uniforms.numCopies));
    }`,
};

/** `rowOf(position)`: the row in the layout of a sorted position; -1 where it was dropped. */
const ROW_OF: Record<PermutationLayout, string> = {
  packed: `${NUM_FILLED}
    fn rowOf(position : i32) -> i32 { return select(-1, position, position < numFilled()); }`,
  padded: `${findBin('findBin', 'bins')}
    fn rowOf(position : i32) -> i32 {
      let bin = findBin(position);
      if (bin >= uniforms.numBins) { return -1; }
      let row = ${begin('paddedBins')} + position - ${begin('bins')};
      return select(-1, row, row < uniforms.layoutRows);
    }`,
  binned: `${findBin('findBin', 'bins')}
    fn rowOf(position : i32) -> i32 {
      let bin = findBin(position);
      if (bin >= uniforms.numBins) { return -1; }
      let row = position - ${begin('bins')};
      return select(-1, bin * uniforms.layoutRows + row, row < uniforms.layoutRows);
    }`,
};

function lookup(
  {indices, bins, paddedBins}: PermutationIndex,
  {layout, numRows}: PermutationAttrs,
  declarations: Record<PermutationLayout, string>,
): Lookup {
  const padded = layout === 'padded';
  return {
    types: {bins: 'i32', ...(padded ? {paddedBins: 'i32'} : {})},
    inputs: {bins, ...(padded ? {paddedBins} : {})},
    uniforms: {numBins: bins.shape[0], numCopies: indices.shape[0], layoutRows: numRows},
    declarations: declarations[layout],
  };
}

/** Declares `positionOf(row)`. */
export function positionLookup(index: PermutationIndex, attrs: PermutationAttrs): Lookup {
  return lookup(index, attrs, POSITION_OF);
}

/** The weights of copies as an input, where there are any, and the WGSL of that of a copy. */
export function weightsOfCopies(weights: TensorInfo | undefined) {
  const weighted = weights != null;
  return {
    weighted,
    types: (weighted ? {weights: 'f32'} : {}) as Record<string, ElementType>,
    inputs: (weighted ? {weights} : {}) as Record<string, TensorInfo>,
    of: (copy: string) => (weighted ? `weights[${copy}]` : '1'),
  };
}

/** The sorted position of each copy and its row, as `rowOfCopy` reads them. */
export interface Copies {
  types: Record<'indices' | 'copies', ElementType>;
  inputs: Record<'indices' | 'copies', TensorInfo>;
  uniforms: Record<'numCopies', number>;
  declarations: string;
}

/**
 * A copy that the permutation lacks was never written, and its memory holds anything: an entry counts
 * only if the permutation has the copy where the entry says.
 */
const ROW_OF_COPY = `
    fn rowOfCopy(copy : u32) -> i32 {
      let entry = copies[copy];
      let known = entry.x >= 0 && entry.x < uniforms.numCopies;
      return select(-1, entry.y, known && indices[max(entry.x, 0)] == i32(copy));
    }`;

/**
 * Inverts the permutation and calls `f` with the `rowOfCopy` that looks it up. One invocation a sorted
 * position finds its row, once for all columns, and writes both to the place of the copy.
 */
export function withCopies(
  backend: WebGPUBackend,
  index: PermutationIndex,
  attrs: PermutationAttrs,
  f: (copies: Copies) => void,
) {
  const {indices} = index;
  const numCopies = indices.shape[0];
  const copies = makeOutput(backend, [numCopies, 2], 'int32');
  const {types, inputs, uniforms, declarations} = lookup(index, attrs, ROW_OF);
  const program = {
    name: 'MegaBlocksInversePermutation',
    variant: attrs.layout,
    inputs: {indices: 'i32', ...types},
    outputs: {copies: 'vec2<i32>'},
    uniforms: {numBins: 'i32', numCopies: 'i32', layoutRows: 'i32'} as const,
    workgroupSize: WORKGROUP_SIZE,
    declarations: () => declarations,
    main: () => `
      let position = i32(index);
      if (position >= uniforms.numCopies) { return; }
      let copy = indices[position];
      if (copy >= 0 && copy < uniforms.numCopies) {
        copies[copy] = vec2<i32>(position, rowOf(position));
      }`,
  };
  runProgram(backend, program, {
    inputs: {indices, ...inputs},
    outputs: {copies},
    uniforms,
    workgroups: workgroupsFor(numCopies, WORKGROUP_SIZE),
  });
  f({
    types: {indices: 'i32', copies: 'vec2<i32>'},
    inputs: {indices, copies},
    uniforms: {numCopies},
    declarations: ROW_OF_COPY,
  });
  backend.disposeData(copies.dataId);
}
