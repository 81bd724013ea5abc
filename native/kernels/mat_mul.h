// Dense products of matrices, many at once: what every product of the library is made of.
#pragma once

#include <cstdint>
#include <vector>

namespace megablocks {

/// The rows of a matrix, so many elements apart. Where there are places, row i lies at that of row places[i].
template <typename T>
struct Rows {
  T* data;
  int64_t stride;
  const int32_t* places = nullptr;

  /// The part that begins at a row and a column.
  Rows from(int64_t row, int64_t column) const {
    if (places != nullptr) return {data + column, stride, places + row};
    return {data + row * stride + column, stride};
  }
  T* row(int64_t i) const { return data + (places == nullptr ? i : places[i]) * stride; }
};

/// What a product reads: rows, or their transpose, which must lie in their places.
struct Operand {
  Rows<const float> rows;
  bool transpose = false;

  Operand from(int64_t row, int64_t column) const {
    return {transpose ? rows.from(column, row) : rows.from(row, column), transpose};
  }
  int64_t row_stride() const { return transpose ? 1 : rows.stride; }
  int64_t column_stride() const { return transpose ? rows.stride : 1; }
};

/// One product a b; a [m, k], b [k, n].
struct Term {
  Operand a, b;
  int64_t k;
};

/// c [m, n] = the sum of the terms from `first_term` on; zero where there are none.
struct Product {
  int64_t m, n;
  Rows<float> c;
  int64_t first_term, num_terms;
};

/// Computes all products, whose results must not overlap, on all threads.
void multiply(const std::vector<Product>& products, const std::vector<Term>& terms);

/// Computes c = a b, or c += a b, on this thread.
void multiply_here(int64_t m, int64_t n, const Term& term, Rows<float> c, bool accumulate);

}  // namespace megablocks
