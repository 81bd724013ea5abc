// Rows between token order and expert order.
#include <algorithm>
#include <cstring>

#include "../parallel.h"
#include "../simd/simd.h"
#include "kernels.h"

namespace megablocks {
namespace {

/// Rows that a task moves at the least.
constexpr int64_t kGrain = 16;

struct PermutationAttrs {
  bool binned;
  int64_t top_k, num_rows;
  explicit PermutationAttrs(Attributes& attrs)
      : binned(attrs.choice("layout", {"packed", "padded", "binned"}) == 2),
        top_k(attrs.integer("topK")),
        num_rows(attrs.integer("numRows")) {
    if (top_k < 1 || num_rows < 0) {
      throw InvalidInput("topK must be at least 1 and numRows at least 0, got " +
                         std::to_string(top_k) + " and " + std::to_string(num_rows));
    }
  }
};

/// The index of a permutation: which copies of tokens lie where.
class Permutation {
 public:
  /// Reads indices, bins and paddedBins, the inputs from `first` on.
  Permutation(Context& context, int first, const PermutationAttrs& attrs)
      : attrs_(attrs), indices_(context.ints(first, "indices", {-1})),
        bins_(context.ints(first + 1, "bins", {-1})),
        padded_bins_(context.ints(first + 2, "paddedBins", {bins_.size()})) {
    context.require(num_copies() % attrs.top_k == 0,
                    "indices must have a multiple of topK elements, " + std::to_string(attrs.top_k) +
                        ", got " + std::to_string(num_copies()));
  }

  int64_t num_copies() const { return indices_.size(); }
  int64_t num_tokens() const { return num_copies() / attrs_.top_k; }
  int64_t num_experts() const { return bins_.size(); }
  int64_t num_rows() const { return attrs_.binned ? num_experts() * attrs_.num_rows : attrs_.num_rows; }

  /// The row of each copy, -1 where it was dropped.
  std::vector<int64_t> rows_of_copies() const {
    std::vector<int64_t> rows(num_copies(), -1);
    for_each([&](int64_t row, int64_t copy) { rows[copy] = row; });
    return rows;
  }

  /// The copy in each row, -1 where no token fills it.
  std::vector<int32_t> copies_of_rows() const {
    std::vector<int32_t> copies(num_rows(), -1);
    for_each([&](int64_t row, int64_t copy) { copies[row] = static_cast<int32_t>(copy); });
    return copies;
  }

 private:
  /// Calls f(row, copy) for every row that a copy fills, all within bounds whatever the index says.
  template <typename F>
  void for_each(F f) const {
    for (int64_t expert = 0; expert < num_experts(); expert++) {
      const int64_t position = expert == 0 ? 0 : std::max(bins_.data[expert - 1], 0);
      const int64_t begin = expert == 0 ? 0 : std::max(padded_bins_.data[expert - 1], 0);
      const int64_t row = attrs_.binned ? expert * attrs_.num_rows : begin;
      const int64_t room = attrs_.binned ? attrs_.num_rows : attrs_.num_rows - begin;
      const int64_t count = std::min<int64_t>(bins_.data[expert], num_copies()) - position;
      for (int64_t i = 0; i < std::min(count, room); i++) {
        const int64_t copy = indices_.data[position + i];
        if (copy >= 0 && copy < num_copies()) f(row + i, copy);
      }
    }
  }

  const PermutationAttrs& attrs_;
  Input<int32_t> indices_, bins_, padded_bins_;
};

/// The shape of rows in the layout.
Shape routed_shape(const PermutationAttrs& attrs, int64_t num_experts, int64_t hidden_size) {
  return attrs.binned ? Shape{num_experts, attrs.num_rows, hidden_size}
                      : Shape{attrs.num_rows, hidden_size};
}

template <bool weighted>
void gather(Context& context, const PermutationAttrs& attrs) {
  const Input<float> x = context.floats(0, "x", {-1, -1});
  const int64_t hidden_size = x.dim(1);
  const Permutation permutation(context, 1, attrs);
  context.require(x.dim(0) == permutation.num_tokens(),
                  "x must have one row a token, " + std::to_string(permutation.num_tokens()) +
                      ", got shape " + text_of(x.shape));
  const float* weights =
      weighted ? context.floats(4, "weights", {permutation.num_copies()}).data : nullptr;
  float* out = context.output_floats(0, routed_shape(attrs, permutation.num_experts(), hidden_size));
  const std::vector<int32_t> copies = permutation.copies_of_rows();
  parallel_ranges(permutation.num_rows(), kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const int64_t copy = copies[row];
      float* to = out + row * hidden_size;
      if (copy < 0) {
        std::memset(to, 0, hidden_size * sizeof(float));
      } else {
        simd().scale(hidden_size, weighted ? weights[copy] : 1,
                     x.data + copy / attrs.top_k * hidden_size, to);
      }
    }
  });
}

template <bool weighted>
void scatter(Context& context, const PermutationAttrs& attrs) {
  const Permutation permutation(context, 1, attrs);
  const int64_t hidden_size = [&] {
    const Input<float> x = context.floats(0, "x");
    return x.rank() > 0 ? x.dim(-1) : 0;
  }();
  const Input<float> x =
      context.floats(0, "x", routed_shape(attrs, permutation.num_experts(), hidden_size));
  const float* weights =
      weighted ? context.floats(4, "weights", {permutation.num_copies()}).data : nullptr;
  const int64_t num_tokens = permutation.num_tokens();
  float* out = context.output_floats(0, {num_tokens, hidden_size});
  const std::vector<int64_t> rows = permutation.rows_of_copies();
  parallel_ranges(num_tokens, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t token = begin; token < end; token++) {
      float* to = out + token * hidden_size;
      bool first = true;
      for (int64_t copy = token * attrs.top_k; copy < (token + 1) * attrs.top_k; copy++) {
        const int64_t row = rows[copy];
        if (row >= 0) {
          (first ? simd().scale : simd().add_scaled)(
              hidden_size, weighted ? weights[copy] : 1, x.data + row * hidden_size, to);
          first = false;
        }
      }
      if (first) std::memset(to, 0, hidden_size * sizeof(float));
    }
  });
}

void scatter_weights_grad(Context& context, const PermutationAttrs& attrs) {
  const Permutation permutation(context, 2, attrs);
  const int64_t num_copies = permutation.num_copies();
  const Input<float> dy = context.floats(1, "dy", {permutation.num_tokens(), -1});
  const int64_t hidden_size = dy.dim(1);
  const Input<float> x =
      context.floats(0, "x", routed_shape(attrs, permutation.num_experts(), hidden_size));
  float* out = context.output_floats(0, {num_copies});
  const std::vector<int64_t> rows = permutation.rows_of_copies();
  parallel_ranges(num_copies, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t copy = begin; copy < end; copy++) {
      const int64_t row = rows[copy];
      out[copy] = row < 0 ? 0
                          : simd().dot(hidden_size, x.data + row * hidden_size,
                                       dy.data + copy / attrs.top_k * hidden_size);
    }
  });
}

}  // namespace

std::vector<KernelEntry> permutation_kernels() {
  return {
      MEGABLOCKS_KERNEL(Gather, PermutationAttrs, gather<false>),
      MEGABLOCKS_KERNEL(WeightedGather, PermutationAttrs, gather<true>),
      MEGABLOCKS_KERNEL(Scatter, PermutationAttrs, scatter<false>),
      MEGABLOCKS_KERNEL(WeightedScatter, PermutationAttrs, scatter<true>),
      MEGABLOCKS_KERNEL(ScatterWeightsGrad, PermutationAttrs, scatter_weights_grad),
  };
}

}  // namespace megablocks
