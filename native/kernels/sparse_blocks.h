// The index of a block-sparse matrix, and its blocks as the kernels of the CPU visit them.
#pragma once

#include <vector>

#include "op_kernel.h"

namespace megablocks {

/// The size of a block-sparse matrix and of its blocks, in elements.
struct SparseSize {
  int64_t rows, columns, block_size;
  explicit SparseSize(Attributes& attrs)
      : rows(attrs.integer("sparseRows", 0)),
        columns(attrs.integer("sparseColumns", 0)),
        block_size(attrs.integer("blockSize", 1)) {
    if (rows % block_size != 0 || columns % block_size != 0) {
      throw InvalidInput("sparseRows and sparseColumns must be multiples of blockSize, got " +
                         std::to_string(rows) + ", " + std::to_string(columns) + " and " +
                         std::to_string(block_size));
    }
  }
  int64_t block_rows() const { return rows / block_size; }
  int64_t block_columns() const { return columns / block_size; }
  Shape values_shape(int64_t count) const { return {count, block_size, block_size}; }
};

/// rowIndices and columnIndices: where each block lies.
struct BlockIndex {
  const int32_t *rows, *columns;
  int64_t count;
  /// Reads them, the inputs from `first` on.
  BlockIndex(Context& context, int first) {
    const Input<int32_t> column_indices = context.ints(first + 1, "columnIndices", {-1});
    count = column_indices.size();
    columns = column_indices.data;
    rows = context.ints(first, "rowIndices", {count}).data;
  }
};

/// The whole index, as SPARSE_INDEX of src/kernel_names.ts has it.
struct SparseIndex {
  BlockIndex blocks;
  const int32_t *offsets, *columns_t, *offsets_t, *block_offsets_t;
  /// Reads it, the inputs from `first` on.
  SparseIndex(Context& context, int first, const SparseSize& size)
      : blocks(context, first),
        offsets(context.ints(first + 2, "offsets", {size.block_rows() + 1}).data),
        columns_t(context.ints(first + 3, "columnIndicesT", {blocks.count}).data),
        offsets_t(context.ints(first + 4, "offsetsT", {size.block_columns() + 1}).data),
        block_offsets_t(context.ints(first + 5, "blockOffsetsT", {blocks.count}).data) {}
};

/// One whose row or column is out of range, such as the -1 of an unused block, is not used, so that no
/// index can make a kernel touch memory outside its operands.
class SparseBlocks {
 public:
  SparseBlocks(const BlockIndex& index, const SparseSize& size)
      : index_(index),
        used_(index.count),
        by_row_(size.block_rows()),
        by_column_(size.block_columns()) {
    for (int64_t block = 0; block < count(); block++) {
      used_[block] = row(block) >= 0 && row(block) < size.block_rows() && column(block) >= 0 &&
                     column(block) < size.block_columns();
      if (used_[block]) {
        by_row_[row(block)].push_back(block);
        by_column_[column(block)].push_back(block);
      }
    }
  }

  int64_t count() const { return index_.count; }
  bool is_used(int64_t block) const { return used_[block]; }
  int64_t row(int64_t block) const { return index_.rows[block]; }
  int64_t column(int64_t block) const { return index_.columns[block]; }
  /// The blocks of a block-row or block-column, in the order in which they lie in memory.
  const std::vector<int64_t>& of_row(int64_t row) const { return by_row_[row]; }
  const std::vector<int64_t>& of_column(int64_t column) const { return by_column_[column]; }

 private:
  BlockIndex index_;
  std::vector<char> used_;
  std::vector<std::vector<int64_t>> by_row_, by_column_;
};

}  // namespace megablocks
