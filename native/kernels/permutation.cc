// Rows between token order and expert order.
#include <algorithm>
#include <cstring>

#include "../parallel.h"
#include "../simd/simd.h"
#include "kernels.h"
#include "permutation.h"

namespace megablocks {
namespace {

/// Rows that a task moves at the least.
constexpr int64_t kGrain = 16;

/// Which copies lie where, one after the other.
class Permutation {
 public:
  explicit Permutation(const PermutationIndex& index) : index_(index) {}

  /// The row of each copy, -1 where it was dropped.
  std::vector<int64_t> rows_of_copies() const {
    std::vector<int64_t> rows(index_.num_copies(), -1);
    for_each([&](int64_t row, int64_t copy) { rows[copy] = row; });
    return rows;
  }

  /// The copy in each row, -1 where no token fills it.
  std::vector<int32_t> copies_of_rows() const {
    std::vector<int32_t> copies(index_.num_rows(), -1);
    for_each([&](int64_t row, int64_t copy) { copies[row] = static_cast<int32_t>(copy); });
    return copies;
  }

 private:
  /// Calls f(row, copy) for every row that a copy fills, all within bounds whatever the index says.
  template <typename F>
  void for_each(F f) const {
    const auto& [attrs, indices, bins, padded_bins] = index_;
    const int64_t num_copies = index_.num_copies();
    for (int64_t expert = 0; expert < index_.num_experts(); expert++) {
      const int64_t position = expert == 0 ? 0 : std::max(bins.data[expert - 1], 0);
      const int64_t begin = expert == 0 ? 0 : std::max(padded_bins.data[expert - 1], 0);
      const int64_t row = attrs.binned ? expert * attrs.num_rows : begin;
      const int64_t room = attrs.binned ? attrs.num_rows : attrs.num_rows - begin;
      const int64_t count = std::min<int64_t>(bins.data[expert], num_copies) - position;
      for (int64_t i = 0; i < std::min(count, room); i++) {
        const int64_t copy = indices.data[position + i];
        if (copy >= 0 && copy < num_copies) f(row + i, copy);
      }
    }
  }

  const PermutationIndex& index_;
};

template <bool weighted>
void gather(Context& context, const PermutationAttrs& attrs) {
  const GatherCall call(context, attrs, weighted);
  const int64_t hidden_size = call.hidden_size;
  const std::vector<int32_t> copies = Permutation(call.index).copies_of_rows();
  parallel_ranges(call.index.num_rows(), kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const int64_t copy = copies[row];
      float* to = call.y + row * hidden_size;
      if (copy < 0) {
        std::memset(to, 0, hidden_size * sizeof(float));
      } else {
        simd().scale(hidden_size, weighted ? call.weights[copy] : 1,
                     call.x.data + copy / attrs.top_k * hidden_size, to);
      }
    }
  });
}

template <bool weighted>
void scatter(Context& context, const PermutationAttrs& attrs) {
  const ScatterCall call(context, attrs, weighted);
  const int64_t hidden_size = call.hidden_size;
  const std::vector<int64_t> rows = Permutation(call.index).rows_of_copies();
  parallel_ranges(call.index.num_tokens(), kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t token = begin; token < end; token++) {
      float* to = call.y + token * hidden_size;
      bool first = true;
      for (int64_t copy = token * attrs.top_k; copy < (token + 1) * attrs.top_k; copy++) {
        const int64_t row = rows[copy];
        if (row >= 0) {
          (first ? simd().scale : simd().add_scaled)(
              hidden_size, weighted ? call.weights[copy] : 1, call.x.data + row * hidden_size, to);
          first = false;
        }
      }
      if (first) std::memset(to, 0, hidden_size * sizeof(float));
    }
  });
}

void scatter_weights_grad(Context& context, const PermutationAttrs& attrs) {
  const ScatterWeightsGradCall call(context, attrs);
  const int64_t hidden_size = call.hidden_size;
  const std::vector<int64_t> rows = Permutation(call.index).rows_of_copies();
  parallel_ranges(call.index.num_copies(), kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t copy = begin; copy < end; copy++) {
      const int64_t row = rows[copy];
      call.dweights[copy] = row < 0 ? 0
                                    : simd().dot(hidden_size, call.x.data + row * hidden_size,
                                                 call.dy.data + copy / attrs.top_k * hidden_size);
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
