// Layer normalization over the last axis.
#include <algorithm>

#include "../parallel.h"
#include "../simd/simd.h"
#include "kernels.h"

namespace megablocks {
namespace {

constexpr int64_t kGrain = 8;
/// Columns of dgamma that a task sums: a few cache lines of every row.
constexpr int64_t kColumnGrain = 64;

struct LayerNormAttrs {
  float epsilon;
  explicit LayerNormAttrs(Attributes& attrs) : epsilon(attrs.number("epsilon")) {}
};

void layer_norm(Context& context, const LayerNormAttrs& attrs) {
  const Input<float> x = context.floats(0, "x", {-1, -1});
  const int64_t size = x.dim(1);
  const Input<float> gamma = context.floats(1, "gamma", {size});
  const Input<float> beta = context.floats(2, "beta", {size});
  float* out = context.output_floats(0, x.shape);
  parallel_ranges(x.dim(0), kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const float* line = x.data + row * size;
      simd().normalize(size, line, simd().row_statistics(size, line, attrs.epsilon), gamma.data,
                       beta.data, out + row * size);
    }
  });
}

void layer_norm_grad(Context& context, const LayerNormAttrs& attrs) {
  const Input<float> x = context.floats(0, "x", {-1, -1});
  const int64_t size = x.dim(1);
  const Input<float> gamma = context.floats(1, "gamma", {size});
  const Input<float> dy = context.floats(2, "dy", x.shape);
  float* dx = context.output_floats(0, x.shape);
  parallel_ranges(x.dim(0), kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const float* line = x.data + row * size;
      simd().normalize_grad(size, line, simd().row_statistics(size, line, attrs.epsilon), gamma.data,
                            dy.data + row * size, dx + row * size);
    }
  });
}

void layer_norm_gamma_grad(Context& context, const LayerNormAttrs& attrs) {
  const Input<float> x = context.floats(0, "x", {-1, -1});
  const int64_t rows = x.dim(0), size = x.dim(1);
  const Input<float> dy = context.floats(1, "dy", x.shape);
  float* dgamma = context.output_floats(0, {size});
  std::vector<RowStatistics> statistics(rows);
  parallel_ranges(rows, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      statistics[row] = simd().row_statistics(size, x.data + row * size, attrs.epsilon);
    }
  });
  parallel_ranges(size, kColumnGrain, [&](int64_t begin, int64_t end) {
    std::fill(dgamma + begin, dgamma + end, 0.0f);
    for (int64_t row = 0; row < rows; row++) {
      const int64_t at = row * size + begin;
      simd().add_normalized(end - begin, x.data + at, statistics[row], dy.data + at, dgamma + begin);
    }
  });
}

}  // namespace

std::vector<KernelEntry> layer_norm_kernels() {
  return {
      MEGABLOCKS_KERNEL(LayerNorm, LayerNormAttrs, layer_norm),
      MEGABLOCKS_KERNEL(LayerNormGrad, LayerNormAttrs, layer_norm_grad),
      MEGABLOCKS_KERNEL(LayerNormGammaGrad, LayerNormAttrs, layer_norm_gamma_grad),
  };
}

}  // namespace megablocks
