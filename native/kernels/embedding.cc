// Rows of a table, and their gradient.
#include <cstring>

#include "../parallel.h"
#include "../simd/simd.h"
#include "kernels.h"
#include "training.h"

namespace megablocks {
namespace {

constexpr int64_t kGrain = 16;

void embedding(Context& context, const NoAttrs& attrs) {
  const EmbeddingCall call(context, attrs);
  const int64_t size = call.size;
  parallel_ranges(call.indices.size(), kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const int64_t row = call.indices.data[i];
      if (row >= 0 && row < call.vocab_size) {
        std::memcpy(call.rows + i * size, call.table.data + row * size, size * sizeof(float));
      } else {
        std::memset(call.rows + i * size, 0, size * sizeof(float));
      }
    }
  });
}

/// Every row of the table adds the rows of its index in their order, so the sum is always the same.
void embedding_grad(Context& context, const EmbeddingGradAttrs& attrs) {
  const EmbeddingGradCall call(context, attrs);
  const Input<int32_t>& indices = call.indices;
  const int64_t vocab_size = attrs.vocab_size, size = call.size;
  // A counting sort of the positions by index.
  std::vector<int64_t> ends(vocab_size + 1);
  const auto is_valid = [&](int64_t i) { return indices.data[i] >= 0 && indices.data[i] < vocab_size; };
  for (int64_t i = 0; i < indices.size(); i++) {
    if (is_valid(i)) ends[indices.data[i] + 1]++;
  }
  for (int64_t row = 0; row < vocab_size; row++) ends[row + 1] += ends[row];
  std::vector<int64_t> next(ends.begin(), ends.end() - 1), positions(ends.back());
  for (int64_t i = 0; i < indices.size(); i++) {
    if (is_valid(i)) positions[next[indices.data[i]]++] = i;
  }
  parallel_ranges(vocab_size, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      float* to = call.dtable + row * size;
      std::memset(to, 0, size * sizeof(float));
      for (int64_t i = ends[row]; i < ends[row + 1]; i++) {
        simd().add_scaled(size, 1, call.dy.data + positions[i] * size, to);
      }
    }
  });
}

}  // namespace

std::vector<KernelEntry> embedding_kernels() {
  return {
      MEGABLOCKS_KERNEL(Embedding, NoAttrs, embedding),
      MEGABLOCKS_KERNEL(EmbeddingGrad, EmbeddingGradAttrs, embedding_grad),
  };
}

}  // namespace megablocks
