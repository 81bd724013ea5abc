// The ops on the index of a block-sparse matrix and on its dense form, as every device runs them: their
// attributes, and the tensors of a call.
#pragma once

#include "sparse_blocks.h"

namespace megablocks {

/// paddedBins [E] -> the block column of every block, block-row by block-row.
struct TopologyAttrs {
  int64_t block_size, block_rows, blocks_per_row;
  explicit TopologyAttrs(Attributes& attrs)
      : block_size(attrs.integer("blockSize", 1)),
        block_rows(attrs.integer("blockRows", 0)),
        blocks_per_row(attrs.integer("blocksPerRow", 0)) {}
};
struct TopologyCall {
  Input<int32_t> bins;
  int32_t* columns;
  TopologyCall(Context& context, const TopologyAttrs& attrs)
      : bins(context.ints(0, "paddedBins", {-1})),
        columns(context.output_ints(0, {attrs.block_rows * attrs.blocks_per_row})) {}
};

/// offsets [blockRows + 1] -> the block-row of every block.
struct RowIndicesAttrs {
  int64_t num_blocks;
  explicit RowIndicesAttrs(Attributes& attrs) : num_blocks(attrs.integer("numBlocks", 0)) {}
};
struct RowIndicesCall {
  Input<int32_t> offsets;
  int64_t block_rows;
  int32_t* rows;
  RowIndicesCall(Context& context, const RowIndicesAttrs& attrs)
      : offsets(context.ints(0, "offsets", {-1})), block_rows(offsets.size() - 1) {
    context.require(block_rows >= 0, [] { return "offsets must have an element, got none"; });
    rows = context.output_ints(0, {attrs.num_blocks});
  }
};

/// columnIndices, rowIndices [nnz] -> the same blocks column by column.
struct SparseTransposeAttrs {
  int64_t block_columns;
  explicit SparseTransposeAttrs(Attributes& attrs) : block_columns(attrs.integer("blockColumns", 0)) {}
};
struct SparseTransposeCall {
  Input<int32_t> columns;
  int64_t count;
  Input<int32_t> rows;
  int32_t *columns_t, *offsets_t, *block_offsets_t;
  SparseTransposeCall(Context& context, const SparseTransposeAttrs& attrs)
      : columns(context.ints(0, "columnIndices", {-1})),
        count(columns.size()),
        rows(context.ints(1, "rowIndices", {count})),
        columns_t(context.output_ints(0, {count})),
        offsets_t(context.output_ints(1, {attrs.block_columns + 1})),
        block_offsets_t(context.output_ints(2, {count})) {}
};

/// values [nnz, B, B] -> dense [sparseRows, sparseColumns].
struct SparseToDenseCall {
  BlockIndex index;
  Input<float> values;
  float* dense;
  SparseToDenseCall(Context& context, const SparseSize& size)
      : index(context, 1),
        values(context.floats(0, "values", size.values_shape(index.count))),
        dense(context.output_floats(0, {size.rows, size.columns})) {}
};

/// dense [sparseRows, sparseColumns] -> the blocks at the index.
struct DenseToSparseCall {
  Input<float> x;
  BlockIndex index;
  float* values;
  DenseToSparseCall(Context& context, const SparseSize& size)
      : x(context.floats(0, "x", {size.rows, size.columns})),
        index(context, 1),
        values(context.output_floats(0, size.values_shape(index.count))) {}
};

}  // namespace megablocks
