// The ops of routing, as every device runs them: their attributes, and the tensors of a call.
#pragma once

#include "op_kernel.h"

namespace megablocks {

/// Of a vector or a batch of vectors: how many, and of what size.
struct Vectors {
  int64_t batch, size;
  Vectors(Context& context, const Shape& shape, const char* name) {
    context.require(shape.size() == 1 || shape.size() == 2, [&] {
      return std::string(name) + " must have rank 1 or 2, got " + text_of(shape);
    });
    batch = shape.size() == 1 ? 1 : shape[0];
    size = shape.back();
  }
};

/// The shape with another last axis.
inline Shape with_last(Shape shape, int64_t size) {
  shape.back() = size;
  return shape;
}

/// keys [N] -> sorted [N], permutation [N].
struct SortAttrs {
  int64_t end_bit;
  explicit SortAttrs(Attributes& attrs) : end_bit(attrs.integer("endBit", 1, 32)) {}
};
struct SortCall {
  Input<int32_t> keys;
  int32_t *sorted, *permutation;
  SortCall(Context& context, const SortAttrs&)
      : keys(context.ints(0, "keys", {-1})),
        sorted(context.output_ints(0, keys.shape)),
        permutation(context.output_ints(1, keys.shape)) {}
};

/// x [N] or [batch, N] -> counts [max] or [batch, max].
struct HistogramAttrs {
  int64_t max;
  explicit HistogramAttrs(Attributes& attrs) : max(attrs.integer("max", 0)) {}
};
struct HistogramCall {
  Input<int32_t> x;
  Vectors vectors;
  int32_t* counts;
  HistogramCall(Context& context, const HistogramAttrs& attrs)
      : x(context.ints(0, "x")),
        vectors(context, x.shape, "x"),
        counts(context.output_ints(0, with_last(x.shape, attrs.max))) {}
};

/// x [N] or [batch, N] -> sums along the last axis.
struct CumsumAttrs {
  bool exclusive;
  explicit CumsumAttrs(Attributes& attrs) : exclusive(attrs.boolean("exclusive")) {}
};
struct CumsumCall {
  Input<int32_t> x;
  Vectors vectors;
  int32_t* sums;
  CumsumCall(Context& context, const CumsumAttrs&)
      : x(context.ints(0, "x")),
        vectors(context, x.shape, "x"),
        sums(context.output_ints(0, x.shape)) {}
};

struct RoundUpAttrs {
  int64_t multiple;
  explicit RoundUpAttrs(Attributes& attrs) : multiple(attrs.integer("multiple", 1)) {}
};
struct RoundUpCall {
  Input<int32_t> x;
  int32_t* y;
  RoundUpCall(Context& context, const RoundUpAttrs&)
      : x(context.ints(0, "x")), y(context.output_ints(0, x.shape)) {}
};

/// tokensPerExpert [E] -> bins [E].
struct PaddedBinsAttrs {
  int64_t block_size;
  explicit PaddedBinsAttrs(Attributes& attrs) : block_size(attrs.integer("blockSize", 1)) {}
};
struct PaddedBinsCall {
  Input<int32_t> counts;
  int32_t* bins;
  PaddedBinsCall(Context& context, const PaddedBinsAttrs&)
      : counts(context.ints(0, "tokensPerExpert", {-1})),
        bins(context.output_ints(0, counts.shape)) {}
};

/// x [E] or [batch, E], of either type, bins [E] -> element i repeated up to bins[i].
struct ReplicateAttrs {
  int64_t num_outputs;
  explicit ReplicateAttrs(Attributes& attrs) : num_outputs(attrs.integer("numOutputs", 0)) {}
};
struct ReplicateCall {
  TF_DataType type;
  Input<int32_t> x;
  Vectors vectors;
  Input<int32_t> bins;
  int32_t* y;
  ReplicateCall(Context& context, const ReplicateAttrs& attrs)
      : x(context.words(0, "x", &type)),
        vectors(context, x.shape, "x"),
        bins(context.ints(1, "bins", {vectors.size})) {
    y = context.output_words(0, with_last(x.shape, attrs.num_outputs), type);
  }
};

/// dy [numOutputs] or [batch, numOutputs], bins [E] -> the sum of dy over each bin.
struct ReplicateGradCall {
  Input<float> dy;
  Vectors vectors;
  Input<int32_t> bins;
  float* dx;
  ReplicateGradCall(Context& context, const NoAttrs&)
      : dy(context.floats(0, "dy")),
        vectors(context, dy.shape, "dy"),
        bins(context.ints(1, "bins", {-1})),
        dx(context.output_floats(0, with_last(dy.shape, bins.size()))) {}
};

}  // namespace megablocks
