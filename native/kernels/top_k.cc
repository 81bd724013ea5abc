// Top-k selection.
#include <algorithm>

#include "../parallel.h"
#include "kernels.h"
#include "top_k.h"

namespace megablocks {
namespace {

constexpr int64_t kGrain = 64;

/// NaN is the greatest, so that it is selected and shows; equals are not, so the first stays first.
bool is_greater(float a, float b) { return a > b || (a != a && b == b); }

void top_k_indices(Context& context, const TopKAttrs& attrs) {
  const TopKCall call(context, attrs);
  const int64_t columns = call.columns, k = call.k;
  if (k == 0) return;
  parallel_ranges(call.rows, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const float* line = call.x.data + row * columns;
      int32_t* top = call.indices + row * k;
      for (int64_t column = 0; column < columns; column++) {
        int64_t rank = std::min(column, k - 1);
        if (column >= k && !is_greater(line[column], line[top[rank]])) continue;
        for (; rank > 0 && is_greater(line[column], line[top[rank - 1]]); rank--) {
          top[rank] = top[rank - 1];
        }
        top[rank] = static_cast<int32_t>(column);
      }
    }
  });
}

void take_along_rows(Context& context, const TakeAlongRowsAttrs& attrs) {
  const TakeAlongRowsCall call(context, attrs);
  for (int64_t i = 0; i < call.indices.size(); i++) {
    const int64_t column = call.indices.data[i];
    const bool valid = column >= 0 && column < attrs.num_columns;
    call.y[i] = valid ? call.x.data[i / call.k * attrs.num_columns + column] : 0;
  }
}

void take_along_rows_grad(Context& context, const TakeAlongRowsAttrs& attrs) {
  const TakeAlongRowsGradCall call(context, attrs);
  std::fill(call.dx, call.dx + call.rows * attrs.num_columns, 0.0f);
  for (int64_t i = 0; i < call.indices.size(); i++) {
    const int64_t column = call.indices.data[i];
    if (column >= 0 && column < attrs.num_columns) {
      call.dx[i / call.k * attrs.num_columns + column] += call.dy.data[i];
    }
  }
}

}  // namespace

std::vector<KernelEntry> top_k_kernels() {
  return {
      MEGABLOCKS_KERNEL(TopKIndices, TopKAttrs, top_k_indices),
      MEGABLOCKS_KERNEL(TakeAlongRows, TakeAlongRowsAttrs, take_along_rows),
      MEGABLOCKS_KERNEL(TakeAlongRowsGrad, TakeAlongRowsAttrs, take_along_rows_grad),
  };
}

}  // namespace megablocks
