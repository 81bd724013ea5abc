#include "grouped_products.h"

namespace megablocks {

void rows_times_matrices(
    const ExpertRows& groups, const Rows<const float>& a, const float* b, bool transpose_b, const Rows<float>& out) {
  const int64_t k = a.stride, n = out.stride;
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
    const ExpertRows& groups, const Rows<const float>& a, const Rows<const float>& b, float* out) {
  const int64_t m = a.stride, n = b.stride;
  std::vector<Product> products;
  std::vector<Term> terms;
  groups.for_each([&](int64_t expert, int64_t begin, int64_t end) {
    products.push_back({m, n, {out + expert * m * n, n}, expert, 1});
    terms.push_back({{a.from(begin, 0), true}, {b.from(begin, 0)}, end - begin});
  });
  multiply(products, terms);
}

}  // namespace megablocks
