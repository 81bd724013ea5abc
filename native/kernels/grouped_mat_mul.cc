// One product an expert, of the rows between its bins.
#include <algorithm>
#include <array>

#include "grouped_mat_mul.h"
#include "kernels.h"
#include "mat_mul.h"

namespace megablocks {
namespace {

void grouped_mat_mul(Context& context, const GroupedMatMulAttrs& attrs) {
  const GroupedMatMulCall call(context, attrs);
  const auto [rows, k, experts, n] = std::array{call.rows, call.k, call.experts, call.n};
  const float *a = call.a.data, *b = call.b.data;
  float* out = call.product;
  std::vector<Product> products;
  std::vector<Term> terms;
  int64_t begin = 0;
  for (int64_t expert = 0; expert < experts; expert++) {
    // Whatever the bins say, no product reads or writes beyond the rows there are.
    const int64_t end = std::min(std::max<int64_t>(call.bins.data[expert], begin), rows);
    if (attrs.transpose_a) {
      products.push_back({k, n, out + expert * k * n, n, expert, 1});
      terms.push_back({operand(a + begin * k, k, true), operand(b + begin * n, n, false),
                       end - begin});
    } else {
      products.push_back({end - begin, n, out + begin * n, n, expert, 1});
      terms.push_back({operand(a + begin * k, k, false),
                       operand(b + expert * k * n, attrs.transpose_b ? k : n, attrs.transpose_b),
                       k});
    }
    begin = end;
  }
  if (!attrs.transpose_a) {
    // Rows beyond the last bin are a sum of no terms: zero.
    products.push_back({rows - begin, n, out + begin * n, n, 0, 0});
  }
  multiply(products, terms);
}

}  // namespace

std::vector<KernelEntry> grouped_mat_mul_kernels() {
  return {MEGABLOCKS_KERNEL(GroupedMatMul, GroupedMatMulAttrs, grouped_mat_mul)};
}

}  // namespace megablocks
