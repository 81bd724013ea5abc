// Top-k selection.
#include <algorithm>

#include "../parallel.h"
#include "kernels.h"

namespace megablocks {
namespace {

constexpr int64_t kGrain = 64;

struct TopKAttrs {
  int64_t k;
  explicit TopKAttrs(Attributes& attrs) : k(attrs.integer("k")) {}
};

/// NaN is the greatest, so that it is selected and shows; equals are not, so the first stays first.
bool is_greater(float a, float b) { return a > b || (a != a && b == b); }

void top_k_indices(Context& context, const TopKAttrs& attrs) {
  const Input<float> x = context.floats(0, "x", {-1, -1});
  const int64_t rows = x.dim(0), columns = x.dim(1), k = attrs.k;
  context.require(k >= 0 && k <= columns, "k must be from 0 to " + std::to_string(columns) + ", got " +
                                              std::to_string(k));
  int32_t* out = context.output_ints(0, {rows, k});
  if (k == 0) return;
  parallel_ranges(rows, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const float* line = x.data + row * columns;
      int32_t* top = out + row * k;
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

struct TakeAlongRowsAttrs {
  int64_t num_columns;
  explicit TakeAlongRowsAttrs(Attributes& attrs) : num_columns(attrs.integer("numColumns")) {}
};

/// x [T, E], indices [T, K] -> x at those columns; an index out of range gives zero.
void take_along_rows(Context& context, const TakeAlongRowsAttrs& attrs) {
  const Input<float> x = context.floats(0, "x", {-1, attrs.num_columns});
  const Input<int32_t> indices = context.ints(1, "indices", {x.dim(0), -1});
  const int64_t k = indices.dim(1);
  float* out = context.output_floats(0, indices.shape);
  for (int64_t i = 0; i < indices.size(); i++) {
    const int64_t column = indices.data[i];
    const bool valid = column >= 0 && column < attrs.num_columns;
    out[i] = valid ? x.data[i / k * attrs.num_columns + column] : 0;
  }
}

void take_along_rows_grad(Context& context, const TakeAlongRowsAttrs& attrs) {
  const Input<float> dy = context.floats(0, "dy", {-1, -1});
  const Input<int32_t> indices = context.ints(1, "indices", dy.shape);
  const int64_t k = dy.dim(1);
  float* out = context.output_floats(0, {dy.dim(0), attrs.num_columns});
  std::fill(out, out + dy.dim(0) * attrs.num_columns, 0.0f);
  for (int64_t i = 0; i < indices.size(); i++) {
    const int64_t column = indices.data[i];
    if (column >= 0 && column < attrs.num_columns) {
      out[i / k * attrs.num_columns + column] += dy.data[i];
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
