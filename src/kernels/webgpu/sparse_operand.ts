import type {TensorInfo} from '@tensorflow/tfjs-core';
import type {SparseIndex} from '../../kernel_names';
import type {Operand} from './matmul_program';
import {vectorOf} from './matmul';

/**
 * A block-sparse operand, and how its dense partner is read along with it. The sum runs over the blocks
 * of one block-row of the operand (one block-column, where it is the right one), block after block; the
 * index that lists them is the matrix' own or its transpose.
 */
export interface SparseSide {
  operand: Operand;
  /** Where the blocks of a line begin, [lines + 1]; which line each crosses; where each lies. */
  inputs: Record<string, TensorInfo>;
  inputTypes: Record<string, string>;
  declarations: string;
  /** WGSL of type u32: the dense row or column that meets a depth. */
  denseDepth: (depth: string) => string;
  /** WGSL of type bool: whether a depth lies in a block that is used. */
  hasDepth: (depth: string) => string;
  /** WGSL statements: the depths of a block-row or block-column called `line`. */
  depths: string;
}

/**
 * @param byRows Whether the lines are block-rows of the matrix as it lies in memory.
 * @param depthIsInner Whether the sum runs along the rows of a block as it lies in memory.
 */
export function sparseSide(
  index: SparseIndex,
  {blockSize, byRows, depthIsInner}: {blockSize: number; byRows: boolean; depthIsInner: boolean},
): SparseSide {
  const {columnIndices, offsets, columnIndicesT, offsetsT, blockOffsetsT} = index;
  const size = `${blockSize}u`;
  const position = (depth: string) => `(blockBegin + ${depth} / ${size})`;
  // Unused blocks come last and cross no line.
  const blockAt = (depth: string) =>
    byRows ? position(depth) : `u32(max(blockPlaces[${position(depth)}], 0))`;
  return {
    operand: {
      buffer: 'values',
      depthIsInner,
      vector: vectorOf(blockSize),
      base: depthIsInner
        ? (outer) => `(${outer} % ${size} * ${size})`
        : (depth) => `((${blockAt(depth)} * ${size} + ${depth} % ${size}) * ${size})`,
      inner: depthIsInner
        ? (depth) => `${blockAt(depth)} * ${blockSize * blockSize}u + ${depth} % ${size}`
        : (outer) => `${outer} % ${size}`,
    },
    inputs: byRows
      ? {lineOffsets: offsets, crossings: columnIndices}
      : {lineOffsets: offsetsT, crossings: columnIndicesT, blockPlaces: blockOffsetsT},
    inputTypes: {
      lineOffsets: 'i32',
      crossings: 'i32',
      ...(byRows ? {} : {blockPlaces: 'i32'}),
    },
    declarations: `
      var<private> blockBegin : u32;

      fn crossing(depth : u32) -> i32 { return crossings[${position('depth')}]; }`,
    denseDepth: (depth) => `(u32(max(crossing(${depth}), 0)) * ${size} + ${depth} % ${size})`,
    hasDepth: (depth) => `(crossing(${depth}) >= 0)`,
    depths: `
      blockBegin = u32(lineOffsets[line]);
      let depthBegin = 0u;
      let depthEnd = (u32(lineOffsets[line + 1u]) - u32(lineOffsets[line])) * ${size};`,
  };
}
