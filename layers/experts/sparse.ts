import {
  range,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor3D,
} from '@tensorflow/tfjs-core';
import {dsd} from '../../ops/dsd';
import {paddedBins} from '../../ops/padded_bins';
import {paddedGather} from '../../ops/padded_gather';
import {paddedScatter} from '../../ops/padded_scatter';
import {sdd} from '../../ops/sdd';
import {SparseMatrix} from '../../ops/sparse_matrix';
import {SparseTopology} from '../../ops/sparse_topology';
import {topology} from '../../ops/topology';
import type {Precision} from '../../src/kernel_names';
import type {ExpertAssignment} from '../../ops/expert_assignment';
import {expertMlp, type ExpertMlpOptions, type ExpertRows, type ExpertWeights} from './mlp';

/**
 * Rows padded to blocks, expert after expert; all weights are [E * F, H]. The hidden rows are the
 * values of a block-sparse matrix, [rows, E * F], that has the blocks of each row's own expert.
 */
function sparseRows(blocks: SparseTopology, precision?: Precision): ExpertRows {
  const {shape, blockSize} = blocks;
  return {
    metadata: [
      blocks.rowIndices,
      blocks.columnIndices,
      blocks.offsets,
      blocks.columnIndicesT,
      blocks.offsetsT,
      blocks.blockOffsetsT,
    ],
    products: (metadata) => {
      const [rowIndices, columnIndices, offsets, columnIndicesT, offsetsT, blockOffsetsT] =
        metadata as Tensor1D[];
      const blocks = new SparseTopology({
        shape,
        blockSize,
        rowIndices,
        columnIndices,
        offsets,
        columnIndicesT,
        offsetsT,
        blockOffsetsT,
      });
      const matrix = (values: Tensor) => new SparseMatrix(blocks, values as Tensor3D);
      return {
        up: (x, w1) =>
          sdd(x as Tensor2D, w1 as Tensor2D, blocks, {transposeB: true, precision}).values,
        down: (hidden, w2) => dsd(matrix(hidden), w2 as Tensor2D, {precision}),
        downGradHidden: (dy, w2) =>
          sdd(dy as Tensor2D, w2 as Tensor2D, blocks, {transposeB: true, precision}).values,
        downGradWeights: (hidden, dy) => dsd(matrix(hidden).t(), dy as Tensor2D, {precision}),
      };
    },
  };
}

/** The blocks that the experts' hidden rows have: each block-row those of its expert's features. */
function expertTopology(
  padded: Tensor1D,
  [rows, columns]: [number, number],
  blockSize: number,
): SparseTopology {
  const blockRows = rows / blockSize;
  const blocksPerRow = columns / padded.size / blockSize;
  return SparseTopology.from({
    shape: [rows, columns],
    blockSize,
    columnIndices: topology(padded, blockSize, blockRows, blocksPerRow),
    offsets: range(0, blockRows * blocksPerRow + 1, blocksPerRow, 'int32'),
  });
}

/**
 * The experts of a dMoE, by block-sparse products: nothing is dropped, and each expert's rows are
 * padded to a multiple of the block size.
 *
 * @param x [T, H].
 * @param expertWeights The factor of each copy, [N].
 * @param weights All [E * F, H].
 * @param blockSize F is a multiple of it.
 * @returns [T, H].
 * @see megablocks.layers.dmoe.ParallelDroplessMLP.sparse_forward_once; section 4 of the paper
 */
export function sparseExperts(
  x: Tensor2D,
  {indices, binIds, bins, tokensPerExpert, topK}: ExpertAssignment,
  expertWeights: Tensor1D,
  weights: ExpertWeights,
  {blockSize, ...options}: ExpertMlpOptions & {blockSize: number},
): Tensor2D {
  const padded = paddedBins(tokensPerExpert, blockSize);
  const rows = paddedGather(x, indices, binIds, bins, padded, topK, blockSize);
  const blocks = expertTopology(padded, [rows.shape[0], weights.w1.shape[0]], blockSize);
  const y = expertMlp(rows, weights, sparseRows(blocks, options.precision), options) as Tensor2D;
  return paddedScatter(y, indices, binIds, expertWeights, bins, padded, topK);
}
