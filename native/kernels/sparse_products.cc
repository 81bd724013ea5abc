// stk's three products of dense and block-sparse matrices, with every transpose.
#include "kernels.h"
#include "mat_mul.h"
#include "sparse_blocks.h"

namespace megablocks {
namespace {

struct SparseProductAttrs {
  SparseSize size;
  bool transpose_a, transpose_b;
  explicit SparseProductAttrs(Attributes& attrs)
      : size(attrs),
        transpose_a(attrs.boolean("transposeA")),
        transpose_b(attrs.boolean("transposeB")) {}
};

/// A dense operand op(x), with its size as it is multiplied.
struct Dense {
  Input<float> x;
  int64_t rows, columns;
  Operand view;
  Dense(Context& context, int index, const char* name, bool transpose)
      : x(context.floats(index, name, {-1, -1})),
        rows(x.dim(transpose ? 1 : 0)),
        columns(x.dim(transpose ? 0 : 1)),
        view(operand(x.data, x.dim(1), transpose)) {}
  /// The part of it that begins at a row and a column.
  Operand from(int64_t row, int64_t column) const {
    return {view.data + row * view.row_stride + column * view.column_stride, view.row_stride,
            view.column_stride};
  }
};

void check_inner(Context& context, const char* name, int64_t got, int64_t expected) {
  context.require(got == expected, std::string(name) + " must have an inner size of " +
                                       std::to_string(expected) + ", got " + std::to_string(got));
}

/// a, b dense -> the blocks of a b at the index.
void sdd(Context& context, const SparseProductAttrs& attrs) {
  const int64_t block = attrs.size.block_size;
  const Dense a(context, 0, "a", attrs.transpose_a), b(context, 1, "b", attrs.transpose_b);
  check_inner(context, "b", b.rows, a.columns);
  context.require(a.rows == attrs.size.rows && b.columns == attrs.size.columns,
                  "a b must have the size of the sparse matrix, " +
                      text_of({attrs.size.rows, attrs.size.columns}) + ", got " +
                      text_of({a.rows, b.columns}));
  const SparseBlocks blocks(context, 2, attrs.size);
  float* out = context.output_floats(0, {blocks.count(), block, block});
  std::vector<Product> products;
  std::vector<Term> terms;
  for (int64_t entry = 0; entry < blocks.count(); entry++) {
    const bool used = blocks.is_used(entry);
    products.push_back({block, block, out + entry * block * block, block,
                        static_cast<int64_t>(terms.size()), used ? 1 : 0});
    if (used) {
      terms.push_back({a.from(blocks.row(entry) * block, 0), b.from(0, blocks.column(entry) * block),
                       a.columns});
    }
  }
  multiply(products, terms);
}

/// a block-sparse, b dense -> dense: one product a block-row of op(a), over the blocks in it.
void dsd(Context& context, const SparseProductAttrs& attrs) {
  const int64_t block = attrs.size.block_size;
  const bool transpose = attrs.transpose_a;
  const Dense b(context, 1, "b", attrs.transpose_b);
  const SparseBlocks blocks(context, 2, attrs.size);
  const Input<float> values = context.floats(0, "values", {blocks.count(), block, block});
  const int64_t m = transpose ? attrs.size.columns : attrs.size.rows;
  check_inner(context, "b", b.rows, transpose ? attrs.size.rows : attrs.size.columns);
  float* out = context.output_floats(0, {m, b.columns});
  std::vector<Product> products;
  std::vector<Term> terms;
  for (int64_t row = 0; row < m / block; row++) {
    const auto& entries = transpose ? blocks.of_column(row) : blocks.of_row(row);
    products.push_back({block, b.columns, out + row * block * b.columns, b.columns,
                        static_cast<int64_t>(terms.size()), static_cast<int64_t>(entries.size())});
    for (int64_t entry : entries) {
      const int64_t inner = transpose ? blocks.row(entry) : blocks.column(entry);
      terms.push_back({operand(values.data + entry * block * block, block, transpose),
                       b.from(inner * block, 0), block});
    }
  }
  multiply(products, terms);
}

/// a dense, b block-sparse -> dense: one product a block-column of op(b), over the blocks in it.
void dds(Context& context, const SparseProductAttrs& attrs) {
  const int64_t block = attrs.size.block_size;
  const bool transpose = attrs.transpose_b;
  const Dense a(context, 0, "a", attrs.transpose_a);
  const SparseBlocks blocks(context, 2, attrs.size);
  const Input<float> values = context.floats(1, "values", {blocks.count(), block, block});
  const int64_t n = transpose ? attrs.size.rows : attrs.size.columns;
  check_inner(context, "a", a.columns, transpose ? attrs.size.columns : attrs.size.rows);
  float* out = context.output_floats(0, {a.rows, n});
  std::vector<Product> products;
  std::vector<Term> terms;
  for (int64_t column = 0; column < n / block; column++) {
    const auto& entries = transpose ? blocks.of_row(column) : blocks.of_column(column);
    products.push_back({a.rows, block, out + column * block, n, static_cast<int64_t>(terms.size()),
                        static_cast<int64_t>(entries.size())});
    for (int64_t entry : entries) {
      const int64_t inner = transpose ? blocks.column(entry) : blocks.row(entry);
      terms.push_back({a.from(0, inner * block),
                       operand(values.data + entry * block * block, block, transpose), block});
    }
  }
  multiply(products, terms);
}

}  // namespace

std::vector<KernelEntry> sparse_products_kernels() {
  return {
      MEGABLOCKS_KERNEL(Sdd, SparseProductAttrs, sdd),
      MEGABLOCKS_KERNEL(Dsd, SparseProductAttrs, dsd),
      MEGABLOCKS_KERNEL(Dds, SparseProductAttrs, dds),
  };
}

}  // namespace megablocks
