// The ops that permute rows, as every device runs them: their attributes, and the tensors of a call.
#pragma once

#include "op_kernel.h"

namespace megablocks {

/// Where the rows of an expert lie: next to those of the one before; from the next multiple of the block size on; in
/// a matrix of its own. The numbers are those of MegaBlocksLayout in cuda/megablocks.h.
enum Layout : int32_t { kPacked, kPadded, kBinned };

struct PermutationAttrs {
  Layout layout;
  bool binned;
  int64_t top_k, num_rows;
  explicit PermutationAttrs(Attributes& attrs)
      : layout(static_cast<Layout>(attrs.choice("layout", {"packed", "padded", "binned"}))),
        binned(layout == kBinned),
        top_k(attrs.integer("topK", 1)),
        num_rows(attrs.integer("numRows", 0)) {}
};

inline void check_copies(Context& context, int64_t num_copies, int64_t top_k) {
  context.require(num_copies % top_k == 0, [&] {
    return "indices must have a multiple of topK elements, " + std::to_string(top_k) + ", got " +
           std::to_string(num_copies);
  });
}

/// The index of a permutation: which copies of tokens lie where.
struct PermutationIndex {
  PermutationAttrs attrs;
  Input<int32_t> indices, bins, padded_bins;

  /// Reads indices, bins and paddedBins, the inputs from `first` on.
  PermutationIndex(Context& context, int first, const PermutationAttrs& attrs)
      : attrs(attrs),
        indices(context.ints(first, "indices", {-1})),
        bins(context.ints(first + 1, "bins", {-1})),
        padded_bins(context.ints(first + 2, "paddedBins", {bins.size()})) {
    check_copies(context, num_copies(), attrs.top_k);
  }

  int64_t num_copies() const { return indices.size(); }
  int64_t num_tokens() const { return num_copies() / attrs.top_k; }
  int64_t num_experts() const { return bins.size(); }
  /// Rows in the layout.
  int64_t num_rows() const { return attrs.binned ? num_experts() * attrs.num_rows : attrs.num_rows; }
  /// The shape of rows in the layout.
  Shape routed_shape(int64_t hidden_size) const {
    return attrs.binned ? Shape{num_experts(), attrs.num_rows, hidden_size}
                        : Shape{attrs.num_rows, hidden_size};
  }
};

/// x [T, H], weights [N] or null -> rows in the layout.
struct GatherCall {
  Input<float> x;
  int64_t hidden_size;
  PermutationIndex index;
  const float* weights;
  float* y;
  GatherCall(Context& context, const PermutationAttrs& attrs, bool weighted)
      : x(context.floats(0, "x", {-1, -1})), hidden_size(x.dim(1)), index(context, 1, attrs) {
    context.require(x.dim(0) == index.num_tokens(), [&] {
      return "x must have one row a token, " + std::to_string(index.num_tokens()) + ", got shape " +
             text_of(x.shape);
    });
    weights = weighted ? context.floats(4, "weights", {index.num_copies()}).data : nullptr;
    y = context.output_floats(0, index.routed_shape(hidden_size));
  }
};

/// x in the layout, weights [N] or null -> [T, H].
struct ScatterCall {
  PermutationIndex index;
  Input<float> x;
  int64_t hidden_size;
  const float* weights;
  float* y;
  ScatterCall(Context& context, const PermutationAttrs& attrs, bool weighted)
      : index(context, 1, attrs),
        x(context.floats(0, "x", attrs.binned ? Shape{index.num_experts(), attrs.num_rows, -1}
                                              : Shape{attrs.num_rows, -1})),
        hidden_size(x.dim(-1)),
        weights(weighted ? context.floats(4, "weights", {index.num_copies()}).data : nullptr),
        y(context.output_floats(0, {index.num_tokens(), hidden_size})) {}
};

/// x in the layout, dy [T, H] -> the products of every row with its token, [N].
struct ScatterWeightsGradCall {
  PermutationIndex index;
  Input<float> dy;
  int64_t hidden_size;
  Input<float> x;
  float* dweights;
  ScatterWeightsGradCall(Context& context, const PermutationAttrs& attrs)
      : index(context, 2, attrs),
        dy(context.floats(1, "dy", {index.num_tokens(), -1})),
        hidden_size(dy.dim(1)),
        x(context.floats(0, "x", index.routed_shape(hidden_size))),
        dweights(context.output_floats(0, {index.num_copies()})) {}
};

}  // namespace megablocks
