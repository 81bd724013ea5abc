// Softmax cross-entropy with integer labels; a label out of range is ignored.
#include <cmath>
#include <cstring>

#include "../parallel.h"
#include "../simd/simd.h"
#include "kernels.h"
#include "training.h"

namespace megablocks {
namespace {

constexpr int64_t kGrain = 1;

void sparse_softmax_cross_entropy(Context& context, const NoAttrs& attrs) {
  const CrossEntropyCall call(context, attrs);
  const int64_t size = call.size;
  parallel_ranges(call.rows, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const float* line = call.logits.data + row * size;
      const int64_t label = call.labels.data[row];
      if (label < 0 || label >= size) {
        call.losses[row] = call.log_sums[row] = 0;
        continue;
      }
      const float largest = simd().max(size, line);
      const float log_sum = std::log(simd().sum_exp(size, line, largest));
      // The difference of the two largest terms comes first: it is exact where it matters.
      call.losses[row] = log_sum + (largest - line[label]);
      call.log_sums[row] = log_sum + largest;
    }
  });
}

void sparse_softmax_cross_entropy_grad(Context& context, const NoAttrs& attrs) {
  const CrossEntropyGradCall call(context, attrs);
  const int64_t size = call.size;
  parallel_ranges(call.rows, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const float* line = call.logits.data + row * size;
      float* to = call.dlogits + row * size;
      const int64_t label = call.labels.data[row];
      if (label < 0 || label >= size) {
        std::memset(to, 0, size * sizeof(float));
        continue;
      }
      const float dy = call.dy.data[row];
      simd().scaled_exp(size, line, call.log_sums.data[row], dy, to);
      to[label] -= dy;
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
