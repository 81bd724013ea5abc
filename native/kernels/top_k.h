// The ops of top-k selection, as every device runs them: their attributes, and the tensors of a call.
#pragma once

#include "op_kernel.h"

namespace megablocks {

struct TopKAttrs {
  int64_t k;
  explicit TopKAttrs(Attributes& attrs) : k(attrs.integer("k", 0)) {}
};
/// x [rows, columns] -> indices of the k largest of each row [rows, k].
struct TopKCall {
  Input<float> x;
  int64_t rows, columns, k;
  int32_t* indices;
  TopKCall(Context& context, const TopKAttrs& attrs)
      : x(context.floats(0, "x", {-1, -1})), rows(x.dim(0)), columns(x.dim(1)), k(attrs.k) {
    context.require(k <= columns, [&] {
      return "k must be from 0 to " + std::to_string(columns) + ", got " + std::to_string(k);
    });
    indices = context.output_ints(0, {rows, k});
  }
};

struct TakeAlongRowsAttrs {
  int64_t num_columns;
  explicit TakeAlongRowsAttrs(Attributes& attrs) : num_columns(attrs.integer("numColumns", 0)) {}
};
/// x [rows, columns], indices [rows, k] -> x at those columns; an index out of range gives zero.
struct TakeAlongRowsCall {
  Input<float> x;
  Input<int32_t> indices;
  int64_t rows, k;
  float* y;
  TakeAlongRowsCall(Context& context, const TakeAlongRowsAttrs& attrs)
      : x(context.floats(0, "x", {-1, attrs.num_columns})),
        indices(context.ints(1, "indices", {x.dim(0), -1})),
        rows(x.dim(0)),
        k(indices.dim(1)),
        y(context.output_floats(0, indices.shape)) {}
};
/// dy, indices [rows, k] -> [rows, columns].
struct TakeAlongRowsGradCall {
  Input<float> dy;
  Input<int32_t> indices;
  int64_t rows, k;
  float* dx;
  TakeAlongRowsGradCall(Context& context, const TakeAlongRowsAttrs& attrs)
      : dy(context.floats(0, "dy", {-1, -1})),
        indices(context.ints(1, "indices", dy.shape)),
        rows(dy.dim(0)),
        k(dy.dim(1)),
        dx(context.output_floats(0, {rows, attrs.num_columns})) {}
};

}  // namespace megablocks
