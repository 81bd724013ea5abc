// The products with block-sparse matrices, as every device runs them: their attributes, and the tensors of
// a call.
#pragma once

#include "grouped_mat_mul.h"
#include "sparse_blocks.h"

namespace megablocks {

struct SparseProductAttrs {
  SparseSize size;
  bool transpose_a, transpose_b;
  int precision;
  explicit SparseProductAttrs(Attributes& attrs)
      : size(attrs),
        transpose_a(attrs.boolean("transposeA")),
        transpose_b(attrs.boolean("transposeB")),
        precision(precision_of(attrs)) {}
};

/// A dense operand op(x), with its size as it is multiplied.
struct DenseInput {
  Input<float> x;
  int64_t rows, columns;
  DenseInput(Context& context, int index, const char* name, bool transpose)
      : x(context.floats(index, name, {-1, -1})),
        rows(x.dim(transpose ? 1 : 0)),
        columns(x.dim(transpose ? 0 : 1)) {}
};

inline void check_inner(Context& context, const char* name, int64_t got, int64_t expected) {
  context.require(got == expected, [&] {
    return std::string(name) + " must have an inner size of " + std::to_string(expected) + ", got " +
           std::to_string(got);
  });
}

/// a, b dense -> the blocks of a b at the index.
struct SddCall {
  DenseInput a, b;
  SparseIndex index;
  float* values;
  SddCall(Context& context, const SparseProductAttrs& attrs)
      : a(context, 0, "a", attrs.transpose_a),
        b(context, 1, "b", attrs.transpose_b),
        index(context, 2, attrs.size) {
    check_inner(context, "b", b.rows, a.columns);
    context.require(a.rows == attrs.size.rows && b.columns == attrs.size.columns, [&] {
      return "a b must have the size of the sparse matrix, " +
             text_of({attrs.size.rows, attrs.size.columns}) + ", got " + text_of({a.rows, b.columns});
    });
    values = context.output_floats(0, {index.blocks.count, attrs.size.block_size, attrs.size.block_size});
  }
};

/// a block-sparse [m, .], b dense -> dense.
struct DsdCall {
  DenseInput b;
  SparseIndex index;
  Input<float> values;
  int64_t m;
  float* product;
  DsdCall(Context& context, const SparseProductAttrs& attrs)
      : b(context, 1, "b", attrs.transpose_b),
        index(context, 2, attrs.size),
        values(context.floats(0, "values", attrs.size.values_shape(index.blocks.count))),
        m(attrs.transpose_a ? attrs.size.columns : attrs.size.rows) {
    check_inner(context, "b", b.rows, attrs.transpose_a ? attrs.size.rows : attrs.size.columns);
    product = context.output_floats(0, {m, b.columns});
  }
};

/// a dense, b block-sparse [., n] -> dense.
struct DdsCall {
  DenseInput a;
  SparseIndex index;
  Input<float> values;
  int64_t n;
  float* product;
  DdsCall(Context& context, const SparseProductAttrs& attrs)
      : a(context, 0, "a", attrs.transpose_a),
        index(context, 2, attrs.size),
        values(context.floats(1, "values", attrs.size.values_shape(index.blocks.count))),
        n(attrs.transpose_b ? attrs.size.rows : attrs.size.columns) {
    check_inner(context, "a", a.columns, attrs.transpose_b ? attrs.size.columns : attrs.size.rows);
    product = context.output_floats(0, {a.rows, n});
  }
};

}  // namespace megablocks
