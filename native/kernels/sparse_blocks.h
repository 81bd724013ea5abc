// The blocks of a block-sparse matrix, as the kernels visit them.
#pragma once

#include <vector>

#include "op_kernel.h"

namespace megablocks {

/// The size of a block-sparse matrix and of its blocks, in elements.
struct SparseSize {
  int64_t rows, columns, block_size;
  explicit SparseSize(Attributes& attrs)
      : rows(attrs.integer("sparseRows")),
        columns(attrs.integer("sparseColumns")),
        block_size(attrs.integer("blockSize")) {
    if (block_size < 1 || rows < 0 || columns < 0 || rows % block_size != 0 ||
        columns % block_size != 0) {
      throw InvalidInput("sparseRows and sparseColumns must be multiples of blockSize, got " +
                         std::to_string(rows) + ", " + std::to_string(columns) + " and " +
                         std::to_string(block_size));
    }
  }
  int64_t block_rows() const { return rows / block_size; }
  int64_t block_columns() const { return columns / block_size; }
};

/// Where each block lies. One whose row or column is out of range, such as the -1 of an unused block,
/// is not used, so that no index can make a kernel touch memory outside its operands.
class SparseBlocks {
 public:
  /// Reads rowIndices and columnIndices, the inputs from `first_input` on.
  SparseBlocks(Context& context, int first_input, const SparseSize& size) {
    rows_ = context.ints(first_input, "rowIndices", {-1}).data;
    const Input<int32_t> columns = context.ints(first_input + 1, "columnIndices", {-1});
    columns_ = columns.data;
    count_ = columns.size();
    context.ints(first_input, "rowIndices", {count_});
    by_row_.resize(size.block_rows());
    by_column_.resize(size.block_columns());
    used_.resize(count_);
    for (int64_t block = 0; block < count_; block++) {
      used_[block] = rows_[block] >= 0 && rows_[block] < size.block_rows() && columns_[block] >= 0 &&
                     columns_[block] < size.block_columns();
      if (used_[block]) {
        by_row_[rows_[block]].push_back(block);
        by_column_[columns_[block]].push_back(block);
      }
    }
  }

  int64_t count() const { return count_; }
  bool is_used(int64_t block) const { return used_[block]; }
  int64_t row(int64_t block) const { return rows_[block]; }
  int64_t column(int64_t block) const { return columns_[block]; }
  /// The blocks of a block-row or block-column, in the order in which they lie in memory.
  const std::vector<int64_t>& of_row(int64_t row) const { return by_row_[row]; }
  const std::vector<int64_t>& of_column(int64_t column) const { return by_column_[column]; }

 private:
  const int32_t *rows_, *columns_;
  int64_t count_;
  std::vector<char> used_;
  std::vector<std::vector<int64_t>> by_row_, by_column_;
};

}  // namespace megablocks
