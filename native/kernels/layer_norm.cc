// Layer normalization over the last axis.
#include <algorithm>

#include "../parallel.h"
#include "../simd/simd.h"
#include "kernels.h"
#include "training.h"

namespace megablocks {
namespace {

constexpr int64_t kGrain = 8;
/// Columns of dgamma that a task sums: a few cache lines of every row.
constexpr int64_t kColumnGrain = 64;

void layer_norm(Context& context, const LayerNormAttrs& attrs) {
  const LayerNormCall call(context, attrs);
  const int64_t size = call.size;
  parallel_ranges(call.rows, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const float* line = call.x.data + row * size;
      simd().normalize(size, line, simd().row_statistics(size, line, attrs.epsilon), call.gamma.data,
                       call.beta.data, call.y + row * size);
    }
  });
}

void layer_norm_grad(Context& context, const LayerNormAttrs& attrs) {
  const LayerNormGradCall call(context, attrs);
  const int64_t size = call.size;
  parallel_ranges(call.rows, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const float* line = call.x.data + row * size;
      simd().normalize_grad(size, line, simd().row_statistics(size, line, attrs.epsilon),
                            call.gamma.data, call.dy.data + row * size, call.dx + row * size);
    }
  });
}

void layer_norm_gamma_grad(Context& context, const LayerNormAttrs& attrs) {
  const LayerNormGammaGradCall call(context, attrs);
  const int64_t rows = call.rows, size = call.size;
  std::vector<RowStatistics> statistics(rows);
  parallel_ranges(rows, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      statistics[row] = simd().row_statistics(size, call.x.data + row * size, attrs.epsilon);
    }
  });
  parallel_ranges(size, kColumnGrain, [&](int64_t begin, int64_t end) {
    std::fill(call.dgamma + begin, call.dgamma + end, 0.0f);
    for (int64_t row = 0; row < rows; row++) {
      const int64_t at = row * size + begin;
      simd().add_normalized(end - begin, call.x.data + at, statistics[row], call.dy.data + at,
                            call.dgamma + begin);
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
