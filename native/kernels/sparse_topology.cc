// Where the blocks of a block-sparse matrix lie, and its dense form.
#include <algorithm>
#include <cstring>

#include "../parallel.h"
#include "kernels.h"
#include "sparse_topology.h"

namespace megablocks {
namespace {

// ---- Topology.

void topology(Context& context, const TopologyAttrs& attrs) {
  const TopologyCall call(context, attrs);
  const int64_t size = attrs.block_rows * attrs.blocks_per_row;
  int64_t begin = 0;
  for (int64_t expert = 0; expert < call.bins.size(); expert++) {
    const int64_t end = std::min(call.bins.data[expert] / attrs.block_size * attrs.blocks_per_row, size);
    for (int64_t i = begin; i < end; i++) {
      call.columns[i] = expert * attrs.blocks_per_row + (i - begin) % attrs.blocks_per_row;
    }
    begin = std::max(begin, end);
  }
  std::fill(call.columns + begin, call.columns + size, -1);
}

// ---- RowIndices.

void row_indices(Context& context, const RowIndicesAttrs& attrs) {
  const RowIndicesCall call(context, attrs);
  std::fill(call.rows, call.rows + attrs.num_blocks, -1);
  for (int64_t row = 0; row < call.block_rows; row++) {
    const int64_t begin = std::max<int64_t>(call.offsets.data[row], 0);
    const int64_t end = std::min<int64_t>(call.offsets.data[row + 1], attrs.num_blocks);
    if (begin < end) std::fill(call.rows + begin, call.rows + end, static_cast<int32_t>(row));
  }
}

// ---- SparseTranspose: a stable counting sort of the blocks by column.

void sparse_transpose(Context& context, const SparseTransposeAttrs& attrs) {
  const SparseTransposeCall call(context, attrs);
  const int64_t nnz = call.count;
  const Input<int32_t>&rows = call.rows, &columns = call.columns;
  int32_t *columns_t = call.columns_t, *offsets_t = call.offsets_t;
  int32_t* block_offsets_t = call.block_offsets_t;
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
  const SparseToDenseCall call(context, size);
  const int64_t block = size.block_size;
  const SparseBlocks blocks(call.index, size);
  std::memset(call.dense, 0, size.rows * size.columns * sizeof(float));
  // Rows of blocks are apart, so they are filled side by side; where two blocks name one place, the
  // later one stays, as everywhere.
  parallel_for(size.block_rows(), [&](int64_t row) {
    for (int64_t entry : blocks.of_row(row)) {
      float* to = call.dense + row * block * size.columns + blocks.column(entry) * block;
      const float* from = call.values.data + entry * block * block;
      for (int64_t i = 0; i < block; i++) {
        std::memcpy(to + i * size.columns, from + i * block, block * sizeof(float));
      }
    }
  });
}

void dense_to_sparse(Context& context, const SparseSize& size) {
  const DenseToSparseCall call(context, size);
  const int64_t block = size.block_size;
  const SparseBlocks blocks(call.index, size);
  parallel_ranges(blocks.count(), 4, [&](int64_t begin, int64_t end) {
    for (int64_t entry = begin; entry < end; entry++) {
      float* to = call.values + entry * block * block;
      if (!blocks.is_used(entry)) {
        std::memset(to, 0, block * block * sizeof(float));
        continue;
      }
      const float* from =
          call.x.data + blocks.row(entry) * block * size.columns + blocks.column(entry) * block;
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
