// The experts of a dropless mixture, whole, as every device runs them: their attributes, and the tensors of a
// call.
#pragma once

#include "grouped_mat_mul.h"
#include "permutation.h"
#include "training.h"

namespace megablocks {

struct GroupedMlpAttrs : ActivationAttrs {
  int64_t top_k;
  int precision;
  explicit GroupedMlpAttrs(Attributes& attrs)
      : ActivationAttrs(attrs), top_k(attrs.integer("topK", 1)), precision(precision_of(attrs)) {}
};

/// What both passes read: x [T, H], weights [N], w1 and w2 [E, F, H], indices [N], bins [E], N = T * K.
struct Experts {
  Input<int32_t> indices, bins;
  int64_t num_copies, num_tokens, num_experts;
  Input<float> x;
  int64_t hidden_size;
  Input<float> weights, w1;
  int64_t ffn_hidden_size;
  Input<float> w2;

  /// The inputs from `first` on.
  Experts(Context& context, int first, const GroupedMlpAttrs& attrs)
      : indices(context.ints(first + 4, "indices", {-1})),
        bins(context.ints(first + 5, "bins", {-1})),
        num_copies(indices.size()),
        num_tokens(num_copies / attrs.top_k),
        num_experts(bins.size()),
        x(context.floats(first, "x", {num_tokens, -1})),
        hidden_size(x.dim(1)),
        weights(context.floats(first + 1, "expertWeights", {num_copies})),
        w1(context.floats(first + 2, "w1", {num_experts, -1, hidden_size})),
        ffn_hidden_size(w1.dim(1)),
        w2(context.floats(first + 3, "w2", w1.shape)) {
    check_copies(context, num_copies, attrs.top_k);
  }
};

/// -> y [T, H]; what is saved besides, as output 1, is the device's own.
struct GroupedMlpCall {
  Experts experts;
  float* y;
  GroupedMlpCall(Context& context, const GroupedMlpAttrs& attrs)
      : experts(context, 0, attrs), y(context.output_floats(0, experts.x.shape)) {}
};

/// dy [T, H], the inputs of the forward pass, and what it saved, of which the device knows the shape -> the gradients
/// of x, weights, w1 and w2.
struct GroupedMlpGradCall {
  Experts experts;
  Input<float> dy;
  float *dx, *dweights, *dw1, *dw2;
  GroupedMlpGradCall(Context& context, const GroupedMlpAttrs& attrs)
      : experts(context, 1, attrs),
        dy(context.floats(0, "dy", experts.x.shape)),
        dx(context.output_floats(0, experts.x.shape)),
        dweights(context.output_floats(1, {experts.num_copies})),
        dw1(context.output_floats(2, experts.w1.shape)),
        dw2(context.output_floats(3, experts.w2.shape)) {}

  static Input<float> saved(Context& context, const Shape& shape) { return context.floats(7, "saved", shape); }
};

}  // namespace megablocks
