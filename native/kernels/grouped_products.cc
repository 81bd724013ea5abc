#include "grouped_products.h"

namespace megablocks {

void rows_times_matrices(
    const ExpertRows& groups, const Rows<const float>& a, int64_t k, const float* b, bool transpose_b,
    int64_t n, const Rows<float>& out) {
  std::vector<Product> products;
  std::vector<Term> terms;
  const int64_t end = groups.for_each([&](int64_t expert, int64_t begin, int64_t end) {
    products.push_back({end - begin, n, out.from(begin, 0), expert, 1});
    terms.push_back({{a.from(begin, 0)}, {{b + expert * k * n, transpose_b ? k : n}, transpose_b}, k});
  });
  // Rows beyond the last bin are a sum of no terms: zero.
  products.push_back({groups.rows - end, n, out.from(end, 0), 0, 0});
  multiply(products, terms);
}

void rows_times_rows(
    const ExpertRows& groups, const float* a, int64_t m, const Rows<const float>& b, int64_t n, float* out) {
  std::vector<Product> products;
  std::vector<Term> terms;
  groups.for_each([&](int64_t expert, int64_t begin, int64_t end) {
    products.push_back({m, n, {out + expert * m * n, n}, expert, 1});
    terms.push_back({{{a + begin * m, m}, true}, {b.from(begin, 0)}, end - begin});
  });
  multiply(products, terms);
}

}  // namespace megablocks
