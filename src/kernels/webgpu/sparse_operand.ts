import type {TensorInfo} from '@tensorflow/tfjs-core';
import type {SparseIndex, SparseSize} from '../../kernel_names';
import type {UsedBlocks} from './magnitudes';
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
  /** WGSL statements before every panel. */
  panel?: string;
  /** The dense operand, row by row as it lies, `uniforms.stride` apart. */
  partner: (buffer: string, depthIsInner: boolean, vector: 1 | 4) => Operand;
  /** What the code depends on. */
  variant: string;
  uniforms: Record<string, number>;
  uniformTypes: Record<string, 'u32'>;
  /** WGSL statements: the depths of a block-row or block-column called `line`. */
  depths: string;
}

/** Which blocks of the values of a product's sparse operand count. */
export function usedBlocks(
  {columnIndices}: SparseIndex,
  {sparseColumns, blockSize}: SparseSize,
): Record<'values', UsedBlocks> {
  return {values: {columnIndices, numColumns: sparseColumns / blockSize, blockSize}};
}

/**
 * Indices are checked as they are read: one that is out of range, such as the -1 of an unused block, is
 * a block that is not there, whatever its values.
 *
 * @param crossings How many block-columns (block-rows) the lines cross.
 * @param byRows Whether the lines are block-rows of the matrix as it lies in memory.
 * @param depthIsInner Whether the sum runs along the rows of a block as it lies in memory.
 * @param deepestPanel The depth of the deepest panel that the device's tiles have; others divide it.
 */
export function sparseSide(
  index: SparseIndex,
  {
    blockSize,
    crossings,
    byRows,
    depthIsInner,
    deepestPanel,
  }: {
    blockSize: number;
    crossings: number;
    byRows: boolean;
    depthIsInner: boolean;
    deepestPanel: number;
  },
): SparseSide {
  const {columnIndices, offsets, columnIndicesT, offsetsT, blockOffsetsT} = index;
  const size = `${blockSize}u`;
  // A panel of this depth or a divisor of it lies in one block, which is then looked up once.
  const isUniform = blockSize % deepestPanel === 0;
  const look = (depth: string) => (isUniform ? '' : `(${depth})`);
  const hasDepth = (depth: string) => `hasCrossing${look(depth)}`;
  const blockAt = (depth: string) => `blockPlace${look(depth)}`;
  // The dense row or column that meets a depth.
  const denseDepth = (depth: string) => `(crossing${look(depth)} * ${size} + ${depth} % ${size})`;
  const findBlock = `
    let position = blockBegin + depth / ${size};
    let at = crossings[position];
    let has = at >= 0 && u32(at) < uniforms.numCrossings;`;
  const place = byRows
    ? 'position'
    : 'min(u32(max(blockPlaces[position], 0)), uniforms.numBlocks - 1u)';
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
      hasDepth,
    },
    inputs: byRows
      ? {lineOffsets: offsets, crossings: columnIndices}
      : {lineOffsets: offsetsT, crossings: columnIndicesT, blockPlaces: blockOffsetsT},
    inputTypes: {
      lineOffsets: 'i32',
      crossings: 'i32',
      ...(byRows ? {} : {blockPlaces: 'i32'}),
    },
    declarations: isUniform
      ? `
      var<private> blockBegin : u32;
      var<private> hasCrossing : bool;
      var<private> crossing : u32;
      var<private> blockPlace : u32;

      fn findBlock(depth : u32) {
        ${findBlock}
        hasCrossing = has;
        crossing = select(0u, u32(at), has);
        blockPlace = ${place};
      }`
      : `
      var<private> blockBegin : u32;

      fn hasCrossing(depth : u32) -> bool { ${findBlock} return has; }
      fn crossing(depth : u32) -> u32 { ${findBlock} return select(0u, u32(at), has); }
      fn blockPlace(depth : u32) -> u32 { let position = blockBegin + depth / ${size}; return ${place}; }`,
    panel: isUniform ? 'findBlock(panel);' : undefined,
    partner: (buffer, depthIsInner, vector) => ({
      buffer,
      depthIsInner,
      vector,
      base: (lead) => `(${depthIsInner ? lead : denseDepth(lead)} * uniforms.stride)`,
      inner: depthIsInner ? denseDepth : undefined,
      hasDepth,
    }),
    variant: `block ${blockSize} ${byRows} ${isUniform}`,
    uniforms: {numCrossings: crossings, numBlocks: columnIndices.shape[0]},
    uniformTypes: {numCrossings: 'u32', numBlocks: 'u32'},
    depths: `
      let firstBlock = min(u32(max(lineOffsets[line], 0)), uniforms.numBlocks);
      // For the functions that read: a private variable itself would not count as uniform.
      blockBegin = firstBlock;
      let blockEnd = min(u32(max(lineOffsets[line + 1u], 0)), uniforms.numBlocks);
      let depthBegin = 0u;
      let depthEnd = (max(blockEnd, firstBlock) - firstBlock) * ${size};`,
  };
}
