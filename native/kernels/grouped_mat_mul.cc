// One product an expert, of the rows between its bins.
#include <algorithm>

#include "kernels.h"
#include "mat_mul.h"

namespace megablocks {
namespace {

struct GroupedMatMulAttrs {
  bool transpose_a, transpose_b;
  explicit GroupedMatMulAttrs(Attributes& attrs)
      : transpose_a(attrs.boolean("transposeA")), transpose_b(attrs.boolean("transposeB")) {}
};

void grouped_mat_mul(Context& context, const GroupedMatMulAttrs& attrs) {
  const Input<float> a = context.floats(0, "a", {-1, -1});
  const Input<int32_t> bins = context.ints(2, "bins", {-1});
  const int64_t rows = a.dim(0), k = a.dim(1), experts = bins.size();
  const Input<float> b = attrs.transpose_a   ? context.floats(1, "b", {rows, -1})
                         : attrs.transpose_b ? context.floats(1, "b", {experts, -1, k})
                                             : context.floats(1, "b", {experts, k, -1});
  const int64_t n = attrs.transpose_a || !attrs.transpose_b ? b.dim(-1) : b.dim(1);
  float* out = context.output_floats(0, attrs.transpose_a ? Shape{experts, k, n} : Shape{rows, n});

  std::vector<Product> products;
  std::vector<Term> terms;
  int64_t begin = 0;
  for (int64_t expert = 0; expert < experts; expert++) {
    // Whatever the bins say, no product reads or writes beyond the rows there are.
    const int64_t end = std::min(std::max<int64_t>(bins.data[expert], begin), rows);
    if (attrs.transpose_a) {
      products.push_back({k, n, out + expert * k * n, n, expert, 1});
      terms.push_back({operand(a.data + begin * k, k, true), operand(b.data + begin * n, n, false),
                       end - begin});
    } else {
      products.push_back({end - begin, n, out + begin * n, n, expert, 1});
      terms.push_back({operand(a.data + begin * k, k, false),
                       operand(b.data + expert * k * n, attrs.transpose_b ? k : n, attrs.transpose_b),
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
