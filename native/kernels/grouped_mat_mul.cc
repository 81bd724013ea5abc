// One product an expert, of the rows between its bins.
#include "grouped_mat_mul.h"

#include "grouped_products.h"
#include "kernels.h"

namespace megablocks {
namespace {

void grouped_mat_mul(Context& context, const GroupedMatMulAttrs& attrs) {
  const GroupedMatMulCall call(context, attrs);
  const ExpertRows groups{call.bins.data, call.experts, call.rows};
  if (attrs.transpose_a) {
    rows_times_rows(groups, {call.a.data, call.k}, {call.b.data, call.n}, call.product);
  } else {
    rows_times_matrices(groups, {call.a.data, call.k}, call.b.data, attrs.transpose_b, {call.product, call.n});
  }
}

}  // namespace

std::vector<KernelEntry> grouped_mat_mul_kernels() {
  return {MEGABLOCKS_KERNEL(GroupedMatMul, GroupedMatMulAttrs, grouped_mat_mul)};
}

}  // namespace megablocks
