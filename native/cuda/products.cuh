// Which dense products a launch is made of: for every tile of the result, where it lies and the segments
// of the inner size over which it sums. Each family of products is one type; the kernels that multiply
// (multiply.cuh) know nothing else of it.
#pragma once

#include "common.cuh"

namespace megablocks {

/// One of the two operands of a tile: element (i, l), i along the result, l along the sum, lies at
/// data[i * stride_i + l * stride_l]; one of the strides is 1.
struct Operand {
  const float* data;
  int64_t stride_i, stride_l;
};

/// The rows and columns of a tile of the result, c[row * c_stride + column].
struct Tile {
  float* c;
  int64_t c_stride;
  /// Rows and columns that exist, at most the size of a tile; 0 rows: there is nothing to do.
  int rows, columns;
  /// What the family needs to find the segments.
  int64_t first, count, row, column;
};

/// One range of the inner size.
struct Segment {
  Operand a, b;
  int length;
};

/// The operand op(x) of x [rows, columns].
__host__ __device__ inline Operand operand(const float* x, int64_t columns, bool transpose_to_l) {
  return transpose_to_l ? Operand{x, 1, columns} : Operand{x, columns, 1};
}

/// a [rows, k] times each expert's b [k, n] (or [n, k]) between its bins -> [rows, n].
struct GroupedProduct {
  const float *a, *b;
  const int32_t* bins;
  int64_t rows, k, n;
  int num_experts;
  bool transpose_b;
  float* out;

  /// blockIdx.x goes over tiles of rows, of all experts one after the other; no expert has more than
  /// the bound that the grid was made for.
  template <int tile_rows, int tile_columns>
  __device__ Tile tile(int64_t index, int64_t column_tile) const {
    int64_t begin = 0;
    for (int expert = 0; expert < num_experts; expert++) {
      const int64_t end = min(max(int64_t{bins[expert]}, begin), rows);
      const int64_t tiles = ceil_divide<int64_t>(end - begin, tile_rows);
      if (index < tiles) {
        const int64_t row = begin + index * tile_rows, column = column_tile * tile_columns;
        return {out + row * n + column,
                n,
                static_cast<int>(min(end - row, int64_t{tile_rows})),
                static_cast<int>(min(n - column, int64_t{tile_columns})),
                expert,
                1,
                row,
                column};
      }
      index -= tiles;
      begin = end;
    }
    return {};
  }
  /// Segment i of a tile; false where it holds nothing.
  __device__ bool segment(const Tile& t, int64_t, Segment& s) const {
    const Operand right = operand(b + t.first * k * n, transpose_b ? k : n, !transpose_b);
    s = {{a + t.row * k, k, 1},
         {right.data + t.column * right.stride_i, right.stride_i, right.stride_l},
         static_cast<int>(k)};
    return true;
  }
  /// Tiles of rows, at most.
  int64_t row_tiles(int tile_rows) const { return rows / tile_rows + min(int64_t{num_experts}, rows); }
  int64_t column_tiles(int tile_columns) const { return ceil_divide<int64_t>(n, tile_columns); }
};

/// a [rows, k]' times b [rows, n] between the bins -> [E, k, n].
struct GroupedTransposedProduct {
  const float *a, *b;
  const int32_t* bins;
  int64_t rows, k, n;
  int num_experts;
  float* out;

  template <int tile_rows, int tile_columns>
  __device__ Tile tile(int64_t index, int64_t column_tile) const {
    const int64_t tiles = ceil_divide<int64_t>(k, tile_rows);
    const int64_t expert = index / tiles, row = index % tiles * tile_rows;
    const int64_t column = column_tile * tile_columns;
    // Bins that descend make no range larger than there are rows.
    int64_t begin = 0;
    for (int i = 0; i < expert; i++) begin = min(max(int64_t{bins[i]}, begin), rows);
    const int64_t end = min(max(int64_t{bins[expert]}, begin), rows);
    return {out + (expert * k + row) * n + column,
            n,
            static_cast<int>(min(k - row, int64_t{tile_rows})),
            static_cast<int>(min(n - column, int64_t{tile_columns})),
            begin,
            1,
            row,
            column};
  }
  __device__ bool segment(const Tile& t, int64_t, Segment& s) const {
    // The end of the range is found again: a tile has no place for it, and it is in the cache.
    const int64_t tiles_before = (t.c - out) / (k * n);
    const int64_t end = min(max(int64_t{bins[tiles_before]}, t.first), rows);
    s = {{a + t.first * k + t.row, 1, k}, {b + t.first * n + t.column, 1, n},
         static_cast<int>(end - t.first)};
    return true;
  }
  int64_t row_tiles(int tile_rows) const { return num_experts * ceil_divide<int64_t>(k, tile_rows); }
  int64_t column_tiles(int tile_columns) const { return ceil_divide<int64_t>(n, tile_columns); }
};

/// A dense operand op(x) of a block-sparse product, with its size as multiplied.
struct Dense {
  const float* data;
  int64_t row_stride, column_stride;
  __host__ __device__ const float* at(int64_t row, int64_t column) const {
    return data + row * row_stride + column * column_stride;
  }
};
__host__ inline Dense dense(const float* x, int64_t columns_in_memory, bool transpose) {
  return transpose ? Dense{x, 1, columns_in_memory} : Dense{x, columns_in_memory, 1};
}

inline bool is_valid(const MegaBlocksSparseIndex& index) {
  return index.block_size > 0 && index.rows >= 0 && index.columns >= 0 && index.num_blocks >= 0 &&
         index.rows % index.block_size == 0 && index.columns % index.block_size == 0;
}

__device__ inline bool is_used(const MegaBlocksSparseIndex& index, int64_t row, int64_t column) {
  return row >= 0 && row < index.rows / index.block_size && column >= 0 &&
         column < index.columns / index.block_size;
}

/// op(a) op(b) at the index: every block is one product over k.
struct SddProduct {
  Dense a, b;
  MegaBlocksSparseIndex index;
  int64_t k;
  float* values;

  template <int tile_rows, int tile_columns>
  __device__ Tile tile(int64_t item, int64_t column_tile) const {
    const int64_t size = index.block_size, tiles = ceil_divide<int64_t>(size, tile_rows);
    const int64_t block = item / tiles, row = item % tiles * tile_rows;
    const int64_t column = column_tile * tile_columns;
    const bool used = is_used(index, index.row_indices[block], index.column_indices[block]);
    return {values + (block * size + row) * size + column,
            size,
            static_cast<int>(min(size - row, int64_t{tile_rows})),
            static_cast<int>(min(size - column, int64_t{tile_columns})),
            block,
            used ? 1 : 0,
            row,
            column};
  }
  __device__ bool segment(const Tile& t, int64_t, Segment& s) const {
    const int64_t row = int64_t{index.row_indices[t.first]} * index.block_size + t.row;
    const int64_t column = int64_t{index.column_indices[t.first]} * index.block_size + t.column;
    s = {{a.at(row, 0), a.row_stride, a.column_stride},
         {b.at(0, column), b.column_stride, b.row_stride},
         static_cast<int>(k)};
    return true;
  }
  int64_t row_tiles(int tile_rows) const {
    return index.num_blocks * ceil_divide<int64_t>(index.block_size, tile_rows);
  }
  int64_t column_tiles(int tile_columns) const {
    return ceil_divide<int64_t>(index.block_size, tile_columns);
  }
};

/// The blocks of a block-row of op(values): entry i lies at which block, and meets which inner one.
struct SparseLine {
  MegaBlocksSparseIndex index;
  bool transpose;
  __device__ int64_t begin(int64_t line) const { return bound(offsets()[line]); }
  __device__ int64_t end(int64_t line) const { return bound(offsets()[line + 1]); }
  __device__ bool entry(int64_t line, int64_t i, int64_t& block, int64_t& inner) const {
    block = transpose ? index.block_offsets_t[i] : i;
    inner = transpose ? index.column_indices_t[i] : index.column_indices[i];
    return block >= 0 && block < index.num_blocks &&
           (transpose ? is_used(index, inner, line) : is_used(index, line, inner));
  }
  __host__ __device__ int64_t lines() const { return (transpose ? index.columns : index.rows) / index.block_size; }

 private:
  __device__ const int32_t* offsets() const { return transpose ? index.offsets_t : index.offsets; }
  __device__ int64_t bound(int64_t i) const { return min(max(i, int64_t{0}), index.num_blocks); }
};

/// op(values) op(b): a row of blocks after the other, summed over the blocks in it.
struct DsdProduct {
  const float* values;
  Dense b;
  SparseLine line;
  int64_t n;
  float* out;

  template <int tile_rows, int tile_columns>
  __device__ Tile tile(int64_t item, int64_t column_tile) const {
    const int64_t size = line.index.block_size, tiles = ceil_divide<int64_t>(size, tile_rows);
    const int64_t block_row = item / tiles, row = item % tiles * tile_rows;
    const int64_t column = column_tile * tile_columns;
    const int64_t begin = line.begin(block_row);
    return {out + (block_row * size + row) * n + column,
            n,
            static_cast<int>(min(size - row, int64_t{tile_rows})),
            static_cast<int>(min(n - column, int64_t{tile_columns})),
            begin,
            max(line.end(block_row) - begin, int64_t{0}),
            row,
            column};
  }
  __device__ bool segment(const Tile& t, int64_t i, Segment& s) const {
    const int64_t size = line.index.block_size;
    const int64_t block_row = (t.c - t.column - out) / n / size;
    int64_t block, inner;
    if (!line.entry(block_row, t.first + i, block, inner)) return false;
    const float* a = values + block * size * size;
    s.a = operand(line.transpose ? a + t.row : a + t.row * size, size, line.transpose);
    s.b = {b.at(inner * size, t.column), b.column_stride, b.row_stride};
    s.length = static_cast<int>(size);
    return true;
  }
  int64_t row_tiles(int tile_rows) const {
    return line.lines() * ceil_divide<int64_t>(line.index.block_size, tile_rows);
  }
  int64_t column_tiles(int tile_columns) const { return ceil_divide<int64_t>(n, tile_columns); }
};

/// op(a) op(values): a column of blocks after the other. `line` goes over the columns of op(values),
/// which are the rows of its transpose.
struct DdsProduct {
  Dense a;
  const float* values;
  SparseLine line;
  int64_t m, n;
  float* out;

  template <int tile_rows, int tile_columns>
  __device__ Tile tile(int64_t item, int64_t column_tile) const {
    const int64_t size = line.index.block_size, tiles = ceil_divide<int64_t>(size, tile_columns);
    const int64_t block_column = column_tile / tiles, offset = column_tile % tiles * tile_columns;
    const int64_t row = item * tile_rows;
    const int64_t begin = line.begin(block_column);
    return {out + row * n + block_column * size + offset,
            n,
            static_cast<int>(min(m - row, int64_t{tile_rows})),
            static_cast<int>(min(size - offset, int64_t{tile_columns})),
            begin,
            max(line.end(block_column) - begin, int64_t{0}),
            row,
            block_column * size + offset};
  }
  __device__ bool segment(const Tile& t, int64_t i, Segment& s) const {
    const int64_t size = line.index.block_size, offset = t.column % size;
    int64_t block, inner;
    if (!line.entry(t.column / size, t.first + i, block, inner)) return false;
    const float* b = values + block * size * size;
    // Along a row of the transpose of op(values): of `values` itself where `line` is not transposed.
    s.a = {a.at(t.row, inner * size), a.row_stride, a.column_stride};
    s.b = operand(line.transpose ? b + offset : b + offset * size, size, line.transpose);
    s.length = static_cast<int>(size);
    return true;
  }
  int64_t row_tiles(int tile_rows) const { return ceil_divide<int64_t>(m, tile_rows); }
  int64_t column_tiles(int tile_columns) const {
    return line.lines() * ceil_divide<int64_t>(line.index.block_size, tile_columns);
  }
};

}  // namespace megablocks
