// Dense products of matrices, many at once: what every product of the library is made of.
#pragma once

#include <cstdint>
#include <vector>

namespace megablocks {

/// A matrix in memory; one of the strides is 1.
struct Operand {
  const float* data;
  int64_t row_stride, column_stride;
  /// Of a matrix that lies row by row: where each row lies, or null where each is in its place.
  const int32_t* places = nullptr;
};

/// One product a b; a [m, k], b [k, n].
struct Term {
  Operand a, b;
  int64_t k;
};

/// c [m, n] = the sum of the terms from `first_term` on; zero where there are none.
struct Product {
  int64_t m, n;
  float* c;
  int64_t c_stride;
  int64_t first_term, num_terms;
  /// As those of an operand.
  const int32_t* places = nullptr;
};

/// Computes all products, whose results must not overlap, on all threads.
void multiply(const std::vector<Product>& products, const std::vector<Term>& terms);

/// Computes c = a b, or c += a b, on this thread.
void multiply_here(
    int64_t m, int64_t n, const Term& term, float* c, int64_t c_stride, bool accumulate);

/// The operand op(x) of x [rows, columns], row by row in memory.
inline Operand operand(const float* x, int64_t columns, bool transpose, const int32_t* places = nullptr) {
  return transpose ? Operand{x, 1, columns} : Operand{x, columns, 1, places};
}

}  // namespace megablocks
