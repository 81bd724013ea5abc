// Rows of a table, and their gradient.
#include <cstring>

#include "../parallel.h"
#include "../simd/simd.h"
#include "kernels.h"

namespace megablocks {
namespace {

constexpr int64_t kGrain = 16;

void embedding(Context& context, const NoAttrs&) {
  const Input<float> table = context.floats(0, "table", {-1, -1});
  const Input<int32_t> indices = context.ints(1, "indices", {-1});
  const int64_t size = table.dim(1);
  float* out = context.output_floats(0, {indices.size(), size});
  parallel_ranges(indices.size(), kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const int64_t row = indices.data[i];
      if (row >= 0 && row < table.dim(0)) {
        std::memcpy(out + i * size, table.data + row * size, size * sizeof(float));
      } else {
        std::memset(out + i * size, 0, size * sizeof(float));
      }
    }
  });
}

struct EmbeddingGradAttrs {
  int64_t vocab_size;
  explicit EmbeddingGradAttrs(Attributes& attrs) : vocab_size(attrs.integer("vocabSize")) {
    if (vocab_size < 0) {
      throw InvalidInput("vocabSize must be at least 0, got " + std::to_string(vocab_size));
    }
  }
};

/// Every row of the table adds the rows of its index in their order, so the sum is always the same.
void embedding_grad(Context& context, const EmbeddingGradAttrs& attrs) {
  const int64_t vocab_size = attrs.vocab_size;
  const Input<float> dy = context.floats(0, "dy", {-1, -1});
  const Input<int32_t> indices = context.ints(1, "indices", {dy.dim(0)});
  const int64_t size = dy.dim(1);
  float* out = context.output_floats(0, {vocab_size, size});
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
      float* to = out + row * size;
      std::memset(to, 0, size * sizeof(float));
      for (int64_t i = ends[row]; i < ends[row + 1]; i++) {
        simd().add_scaled(size, 1, dy.data + positions[i] * size, to);
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
