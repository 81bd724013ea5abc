// The grouped product, as every device runs it: its attributes, and the tensors of a call.
#pragma once

#include "op_kernel.h"

namespace megablocks {

/// How products multiply, by its place in the list; the CPU multiplies in float32 always.
inline int precision_of(Attributes& attrs) {
  return attrs.choice("precision", {"float32", "tf32", "bfloat16"});
}

struct GroupedMatMulAttrs {
  bool transpose_a, transpose_b;
  int precision;
  explicit GroupedMatMulAttrs(Attributes& attrs)
      : transpose_a(attrs.boolean("transposeA")),
        transpose_b(attrs.boolean("transposeB")),
        precision(precision_of(attrs)) {}
};

/// a [rows, k], b [E, k, n] (or [E, n, k]), bins [E] -> [rows, n]; a [rows, k], b [rows, n] -> [E, k, n].
struct GroupedMatMulCall {
  Input<float> a;
  Input<int32_t> bins;
  int64_t rows, k, experts;
  Input<float> b;
  int64_t n;
  float* product;
  GroupedMatMulCall(Context& context, const GroupedMatMulAttrs& attrs)
      : a(context.floats(0, "a", {-1, -1})),
        bins(context.ints(2, "bins", {-1})),
        rows(a.dim(0)),
        k(a.dim(1)),
        experts(bins.size()),
        b(attrs.transpose_a   ? context.floats(1, "b", {rows, -1})
          : attrs.transpose_b ? context.floats(1, "b", {experts, -1, k})
                              : context.floats(1, "b", {experts, k, -1})),
        n(attrs.transpose_a || !attrs.transpose_b ? b.dim(-1) : b.dim(1)),
        product(context.output_floats(0, attrs.transpose_a ? Shape{experts, k, n} : Shape{rows, n})) {}
};

}  // namespace megablocks
