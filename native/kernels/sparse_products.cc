// stk's three products of dense and block-sparse matrices, with every transpose.
#include "kernels.h"
#include "mat_mul.h"
#include "sparse_products.h"

namespace megablocks {
namespace {

/// op(x) of a dense x.
Operand operand(const DenseInput& input, bool transpose) {
  return {{input.x.data, input.x.dim(1)}, transpose};
}

/// op(block) of an entry of the block-sparse operand.
Operand operand(const float* values, int64_t entry, int64_t block, bool transpose) {
  return {{values + entry * block * block, block}, transpose};
}

/// a, b dense -> the blocks of a b at the index.
void sdd(Context& context, const SparseProductAttrs& attrs) {
  const SddCall call(context, attrs);
  const int64_t block = attrs.size.block_size;
  const Operand a = operand(call.a, attrs.transpose_a), b = operand(call.b, attrs.transpose_b);
  const SparseBlocks blocks(call.index.blocks, attrs.size);
  std::vector<Product> products;
  std::vector<Term> terms;
  for (int64_t entry = 0; entry < blocks.count(); entry++) {
    const bool used = blocks.is_used(entry);
    products.push_back({block, block, {call.values + entry * block * block, block},
                        static_cast<int64_t>(terms.size()), used ? 1 : 0});
    if (used) {
      terms.push_back({a.from(blocks.row(entry) * block, 0), b.from(0, blocks.column(entry) * block),
                       call.a.columns});
    }
  }
  multiply(products, terms);
}

/// a block-sparse, b dense -> dense: one product a block-row of op(a), over the blocks in it.
void dsd(Context& context, const SparseProductAttrs& attrs) {
  const int64_t block = attrs.size.block_size;
  const bool transpose = attrs.transpose_a;
  const DsdCall call(context, attrs);
  const Operand b = operand(call.b, attrs.transpose_b);
  const int64_t columns = call.b.columns;
  const SparseBlocks blocks(call.index.blocks, attrs.size);
  std::vector<Product> products;
  std::vector<Term> terms;
  for (int64_t row = 0; row < call.m / block; row++) {
    const auto& entries = transpose ? blocks.of_column(row) : blocks.of_row(row);
    products.push_back({block, columns, {call.product + row * block * columns, columns},
                        static_cast<int64_t>(terms.size()), static_cast<int64_t>(entries.size())});
    for (int64_t entry : entries) {
      const int64_t inner = transpose ? blocks.row(entry) : blocks.column(entry);
      terms.push_back({operand(call.values.data, entry, block, transpose),
                       b.from(inner * block, 0), block});
    }
  }
  multiply(products, terms);
}

/// a dense, b block-sparse -> dense: one product a block-column of op(b), over the blocks in it.
void dds(Context& context, const SparseProductAttrs& attrs) {
  const int64_t block = attrs.size.block_size;
  const bool transpose = attrs.transpose_b;
  const DdsCall call(context, attrs);
  const Operand a = operand(call.a, attrs.transpose_a);
  const SparseBlocks blocks(call.index.blocks, attrs.size);
  std::vector<Product> products;
  std::vector<Term> terms;
  for (int64_t column = 0; column < call.n / block; column++) {
    const auto& entries = transpose ? blocks.of_row(column) : blocks.of_column(column);
    products.push_back({call.a.rows, block, {call.product + column * block, call.n},
                        static_cast<int64_t>(terms.size()),
                        static_cast<int64_t>(entries.size())});
    for (int64_t entry : entries) {
      const int64_t inner = transpose ? blocks.column(entry) : blocks.row(entry);
      terms.push_back({a.from(0, inner * block),
                       operand(call.values.data, entry, block, transpose), block});
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
