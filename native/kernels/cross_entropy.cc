// Softmax cross-entropy with integer labels; a label out of range is ignored.
#include <cmath>
#include <cstring>

#include "../parallel.h"
#include "../simd/simd.h"
#include "kernels.h"

namespace megablocks {
namespace {

constexpr int64_t kGrain = 1;

void sparse_softmax_cross_entropy(Context& context, const NoAttrs&) {
  const Input<float> logits = context.floats(0, "logits", {-1, -1});
  const Input<int32_t> labels = context.ints(1, "labels", {logits.dim(0)});
  const int64_t size = logits.dim(1);
  float* losses = context.output_floats(0, {logits.dim(0)});
  parallel_ranges(logits.dim(0), kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const float* line = logits.data + row * size;
      const int64_t label = labels.data[row];
      if (label < 0 || label >= size) {
        losses[row] = 0;
        continue;
      }
      const float largest = simd().max(size, line);
      // The difference of the two largest terms comes first: it is exact where it matters.
      losses[row] = std::log(simd().sum_exp(size, line, largest)) + (largest - line[label]);
    }
  });
}

void sparse_softmax_cross_entropy_grad(Context& context, const NoAttrs&) {
  const Input<float> logits = context.floats(0, "logits", {-1, -1});
  const int64_t rows = logits.dim(0), size = logits.dim(1);
  const Input<int32_t> labels = context.ints(1, "labels", {rows});
  const Input<float> losses = context.floats(2, "losses", {rows});
  const Input<float> dy = context.floats(3, "dy", {rows});
  float* out = context.output_floats(0, logits.shape);
  parallel_ranges(rows, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const float* line = logits.data + row * size;
      float* to = out + row * size;
      const int64_t label = labels.data[row];
      if (label < 0 || label >= size) {
        std::memset(to, 0, size * sizeof(float));
        continue;
      }
      // softmax = exp(logits - shift), since the loss is log(sum) + largest - logits[label].
      simd().scaled_exp(size, line, losses.data[row] + line[label], dy.data[row], to);
      to[label] -= dy.data[row];
    }
  });
}

}  // namespace

std::vector<KernelEntry> cross_entropy_kernels() {
  return {
      MEGABLOCKS_KERNEL(SparseSoftmaxCrossEntropy, NoAttrs, sparse_softmax_cross_entropy),
      MEGABLOCKS_KERNEL(SparseSoftmaxCrossEntropyGrad, NoAttrs, sparse_softmax_cross_entropy_grad),
  };
}

}  // namespace megablocks
