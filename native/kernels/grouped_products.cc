#include "grouped_products.h"

#include "mat_mul.h"

namespace megablocks {
namespace {

/// From row `row` on.
template <typename T>
PlacedRows<T> from(PlacedRows<T> rows, int64_t row, int64_t columns) {
  if (rows.places != nullptr) return {rows.data, rows.places + row};
  return {rows.data + row * columns};
}

Operand as_operand(PlacedRows<const float> rows, int64_t columns) {
  return operand(rows.data, columns, false, rows.places);
}

}  // namespace

void rows_times_matrices(
    const ExpertRows& groups, PlacedRows<const float> a, int64_t k, const float* b, bool transpose_b,
    int64_t n, PlacedRows<float> out) {
  std::vector<Product> products;
  std::vector<Term> terms;
  const auto add_product = [&](int64_t begin, int64_t end, int64_t term, int64_t num_terms) {
    const PlacedRows<float> to = from(out, begin, n);
    products.push_back({end - begin, n, to.data, n, term, num_terms, to.places});
  };
  const int64_t end = groups.for_each([&](int64_t expert, int64_t begin, int64_t end) {
    add_product(begin, end, expert, 1);
    terms.push_back({as_operand(from(a, begin, k), k),
                     operand(b + expert * k * n, transpose_b ? k : n, transpose_b), k});
  });
  // Rows beyond the last bin are a sum of no terms: zero.
  add_product(end, groups.rows, 0, 0);
  multiply(products, terms);
}

void rows_times_rows(
    const ExpertRows& groups, const float* a, int64_t m, PlacedRows<const float> b, int64_t n, float* out) {
  std::vector<Product> products;
  std::vector<Term> terms;
  groups.for_each([&](int64_t expert, int64_t begin, int64_t end) {
    products.push_back({m, n, out + expert * m * n, n, expert, 1});
    terms.push_back({operand(a + begin * m, m, true), as_operand(from(b, begin, n), n), end - begin});
  });
  multiply(products, terms);
}

}  // namespace megablocks
