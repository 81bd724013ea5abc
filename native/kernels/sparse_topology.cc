// Where the blocks of a block-sparse matrix lie, and its dense form.
#include <algorithm>
#include <cstring>

#include "../parallel.h"
#include "kernels.h"
#include "sparse_blocks.h"

namespace megablocks {
namespace {

// ---- Topology: paddedBins [E] -> the block column of every block, block-row by block-row.

struct TopologyAttrs {
  int64_t block_size, block_rows, blocks_per_row;
  explicit TopologyAttrs(Attributes& attrs)
      : block_size(attrs.integer("blockSize")),
        block_rows(attrs.integer("blockRows")),
        blocks_per_row(attrs.integer("blocksPerRow")) {
    if (block_size < 1 || block_rows < 0 || blocks_per_row < 0) {
      throw InvalidInput("blockSize must be at least 1, blockRows and blocksPerRow at least 0");
    }
  }
};

void topology(Context& context, const TopologyAttrs& attrs) {
  const Input<int32_t> bins = context.ints(0, "paddedBins", {-1});
  const int64_t size = attrs.block_rows * attrs.blocks_per_row;
  int32_t* out = context.output_ints(0, {size});
  int64_t begin = 0;
  for (int64_t expert = 0; expert < bins.size(); expert++) {
    const int64_t end = std::min(bins.data[expert] / attrs.block_size * attrs.blocks_per_row, size);
    for (int64_t i = begin; i < end; i++) {
      out[i] = expert * attrs.blocks_per_row + (i - begin) % attrs.blocks_per_row;
    }
    begin = std::max(begin, end);
  }
  std::fill(out + begin, out + size, -1);
}

// ---- RowIndices: offsets [blockRows + 1] -> the block-row of every block.

struct RowIndicesAttrs {
  int64_t num_blocks;
  explicit RowIndicesAttrs(Attributes& attrs) : num_blocks(attrs.integer("numBlocks")) {}
};

void row_indices(Context& context, const RowIndicesAttrs& attrs) {
  const Input<int32_t> offsets = context.ints(0, "offsets", {-1});
  int32_t* out = context.output_ints(0, {attrs.num_blocks});
  std::fill(out, out + attrs.num_blocks, -1);
  for (int64_t row = 0; row + 1 < offsets.size(); row++) {
    const int64_t begin = std::max<int64_t>(offsets.data[row], 0);
    const int64_t end = std::min<int64_t>(offsets.data[row + 1], attrs.num_blocks);
    if (begin < end) std::fill(out + begin, out + end, static_cast<int32_t>(row));
  }
}

// ---- SparseTranspose: a stable counting sort of the blocks by column.

struct SparseTransposeAttrs {
  int64_t block_columns;
  explicit SparseTransposeAttrs(Attributes& attrs) : block_columns(attrs.integer("blockColumns")) {}
};

void sparse_transpose(Context& context, const SparseTransposeAttrs& attrs) {
  const Input<int32_t> columns = context.ints(0, "columnIndices", {-1});
  const int64_t nnz = columns.size();
  const Input<int32_t> rows = context.ints(1, "rowIndices", {nnz});
  int32_t* columns_t = context.output_ints(0, {nnz});
  int32_t* offsets_t = context.output_ints(1, {attrs.block_columns + 1});
  int32_t* block_offsets_t = context.output_ints(2, {nnz});
  const auto is_used = [&](int64_t block) {
    return rows.data[block] >= 0 && columns.data[block] >= 0 &&
           columns.data[block] < attrs.block_columns;
  };
  std::fill(offsets_t, offsets_t + attrs.block_columns + 1, 0);
  for (int64_t block = 0; block < nnz; block++) {
    if (is_used(block)) offsets_t[columns.data[block] + 1]++;
  }
  for (int64_t column = 0; column < attrs.block_columns; column++) {
    offsets_t[column + 1] += offsets_t[column];
  }
  std::fill(columns_t, columns_t + nnz, -1);
  std::fill(block_offsets_t, block_offsets_t + nnz, -1);
  std::vector<int32_t> next(offsets_t, offsets_t + attrs.block_columns + 1);
  for (int64_t block = 0; block < nnz; block++) {
    if (is_used(block)) {
      const int32_t position = next[columns.data[block]]++;
      columns_t[position] = rows.data[block];
      block_offsets_t[position] = static_cast<int32_t>(block);
    }
  }
}

// ---- SparseToDense, DenseToSparse.

void sparse_to_dense(Context& context, const SparseSize& size) {
  const int64_t block = size.block_size;
  const SparseBlocks blocks(context, 1, size);
  const Input<float> values = context.floats(0, "values", {blocks.count(), block, block});
  float* out = context.output_floats(0, {size.rows, size.columns});
  std::memset(out, 0, size.rows * size.columns * sizeof(float));
  // Rows of blocks are apart, so they are filled side by side; where two blocks name one place, the
  // later one stays, as everywhere.
  parallel_for(size.block_rows(), [&](int64_t row) {
    for (int64_t entry : blocks.of_row(row)) {
      float* to = out + row * block * size.columns + blocks.column(entry) * block;
      const float* from = values.data + entry * block * block;
      for (int64_t i = 0; i < block; i++) {
        std::memcpy(to + i * size.columns, from + i * block, block * sizeof(float));
      }
    }
  });
}

void dense_to_sparse(Context& context, const SparseSize& size) {
  const int64_t block = size.block_size;
  const Input<float> x = context.floats(0, "x", {size.rows, size.columns});
  const SparseBlocks blocks(context, 1, size);
  float* out = context.output_floats(0, {blocks.count(), block, block});
  parallel_ranges(blocks.count(), 4, [&](int64_t begin, int64_t end) {
    for (int64_t entry = begin; entry < end; entry++) {
      float* to = out + entry * block * block;
      if (!blocks.is_used(entry)) {
        std::memset(to, 0, block * block * sizeof(float));
        continue;
      }
      const float* from = x.data + blocks.row(entry) * block * size.columns + blocks.column(entry) * block;
      for (int64_t i = 0; i < block; i++) {
        std::memcpy(to + i * block, from + i * size.columns, block * sizeof(float));
      }
    }
  });
}

}  // namespace

std::vector<KernelEntry> sparse_topology_kernels() {
  return {
      MEGABLOCKS_KERNEL(Topology, TopologyAttrs, topology),
      MEGABLOCKS_KERNEL(RowIndices, RowIndicesAttrs, row_indices),
      MEGABLOCKS_KERNEL(SparseTranspose, SparseTransposeAttrs, sparse_transpose),
      MEGABLOCKS_KERNEL(SparseToDense, SparseSize, sparse_to_dense),
      MEGABLOCKS_KERNEL(DenseToSparse, SparseSize, dense_to_sparse),
  };
}

}  // namespace megablocks
