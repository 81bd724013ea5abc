// The grouped product and the block-sparse products, with what there is of a block-sparse matrix, on the
// GPU.
#include "../grouped_mat_mul.h"
#include "../kernels.h"
#include "../sparse_products.h"
#include "../sparse_topology.h"
#include "gpu.h"

namespace megablocks {
namespace {

void grouped_mat_mul(Context& context, const GroupedMatMulAttrs& attrs) {
  const GroupedMatMulCall call(context, attrs);
  Gpu gpu(context);
  const auto experts = static_cast<int32_t>(call.experts);
  const size_t bytes = megablocks_grouped_mat_mul_workspace(
      attrs.precision, call.rows, call.k, call.n, experts, attrs.transpose_a, attrs.transpose_b);
  gpu.run(bytes, [&](void* workspace, cudaStream_t stream) {
    return megablocks_grouped_mat_mul(attrs.precision, call.a.data, call.b.data, call.bins.data,
                                      call.rows, call.k, call.n, experts, attrs.transpose_a,
                                      attrs.transpose_b, call.product, workspace, bytes, stream);
  });
}

/// The index as a launcher takes it, where only the blocks' places are read.
MegaBlocksSparseIndex launched(const BlockIndex& blocks, const SparseSize& size) {
  return {blocks.rows, blocks.columns, nullptr,
          nullptr,     nullptr,        nullptr,
          size.rows,   size.columns,   blocks.count,
          static_cast<int32_t>(size.block_size)};
}
MegaBlocksSparseIndex launched(const SparseIndex& index, const SparseSize& size) {
  MegaBlocksSparseIndex all = launched(index.blocks, size);
  all.offsets = index.offsets;
  all.column_indices_t = index.columns_t;
  all.offsets_t = index.offsets_t;
  all.block_offsets_t = index.block_offsets_t;
  return all;
}

void sdd(Context& context, const SparseProductAttrs& attrs) {
  const SddCall call(context, attrs);
  const MegaBlocksSparseIndex index = launched(call.index, attrs.size);
  Gpu gpu(context);
  const size_t bytes = megablocks_sdd_workspace(
      attrs.precision, index, call.a.columns, attrs.transpose_a, attrs.transpose_b);
  gpu.run(bytes, [&](void* workspace, cudaStream_t stream) {
    return megablocks_sdd(
        attrs.precision, call.a.x.data, call.b.x.data, index, call.a.columns, attrs.transpose_a, attrs.transpose_b,
        call.values, workspace, bytes, stream);
  });
}

void dsd(Context& context, const SparseProductAttrs& attrs) {
  const DsdCall call(context, attrs);
  const MegaBlocksSparseIndex index = launched(call.index, attrs.size);
  Gpu gpu(context);
  const size_t bytes = megablocks_dsd_workspace(
      attrs.precision, index, call.b.columns, attrs.transpose_a, attrs.transpose_b);
  gpu.run(bytes, [&](void* workspace, cudaStream_t stream) {
    return megablocks_dsd(
        attrs.precision, call.values.data, call.b.x.data, index, call.b.columns, attrs.transpose_a, attrs.transpose_b,
        call.product, workspace, bytes, stream);
  });
}

void dds(Context& context, const SparseProductAttrs& attrs) {
  const DdsCall call(context, attrs);
  const MegaBlocksSparseIndex index = launched(call.index, attrs.size);
  Gpu gpu(context);
  const size_t bytes = megablocks_dds_workspace(
      attrs.precision, index, call.a.rows, attrs.transpose_a, attrs.transpose_b);
  gpu.run(bytes, [&](void* workspace, cudaStream_t stream) {
    return megablocks_dds(
        attrs.precision, call.a.x.data, call.values.data, index, call.a.rows, attrs.transpose_a, attrs.transpose_b,
        call.product, workspace, bytes, stream);
  });
}

void topology(Context& context, const TopologyAttrs& attrs) {
  const TopologyCall call(context, attrs);
  Gpu(context).run([&](cudaStream_t stream) {
    return megablocks_topology(call.bins.data, call.bins.size(), static_cast<int32_t>(attrs.block_size),
                               attrs.block_rows, attrs.blocks_per_row, call.columns, stream);
  });
}

void row_indices(Context& context, const RowIndicesAttrs& attrs) {
  const RowIndicesCall call(context, attrs);
  Gpu(context).run([&](cudaStream_t stream) {
    return megablocks_row_indices(call.offsets.data, call.block_rows, attrs.num_blocks, call.rows, stream);
  });
}

void sparse_transpose(Context& context, const SparseTransposeAttrs& attrs) {
  const SparseTransposeCall call(context, attrs);
  Gpu gpu(context);
  const size_t bytes = megablocks_sparse_transpose_workspace(call.count);
  gpu.run(bytes, [&](void* workspace, cudaStream_t stream) {
    return megablocks_sparse_transpose(call.rows.data, call.columns.data, call.count,
                                       static_cast<int32_t>(attrs.block_columns), call.columns_t,
                                       call.offsets_t, call.block_offsets_t, workspace, bytes, stream);
  });
}

void sparse_to_dense(Context& context, const SparseSize& size) {
  const SparseToDenseCall call(context, size);
  Gpu(context).run([&](cudaStream_t stream) {
    return megablocks_sparse_to_dense(call.values.data, launched(call.index, size), call.dense, stream);
  });
}

void dense_to_sparse(Context& context, const SparseSize& size) {
  const DenseToSparseCall call(context, size);
  Gpu(context).run([&](cudaStream_t stream) {
    return megablocks_dense_to_sparse(call.x.data, launched(call.index, size), call.values, stream);
  });
}

}  // namespace

std::vector<KernelEntry> cuda_products_kernels() {
  return {
      MEGABLOCKS_KERNEL(GroupedMatMul, GroupedMatMulAttrs, grouped_mat_mul),
      MEGABLOCKS_KERNEL(Sdd, SparseProductAttrs, sdd),
      MEGABLOCKS_KERNEL(Dsd, SparseProductAttrs, dsd),
      MEGABLOCKS_KERNEL(Dds, SparseProductAttrs, dds),
      MEGABLOCKS_KERNEL(Topology, TopologyAttrs, topology),
      MEGABLOCKS_KERNEL(RowIndices, RowIndicesAttrs, row_indices),
      MEGABLOCKS_KERNEL(SparseTranspose, SparseTransposeAttrs, sparse_transpose),
      MEGABLOCKS_KERNEL(SparseToDense, SparseSize, sparse_to_dense),
      MEGABLOCKS_KERNEL(DenseToSparse, SparseSize, dense_to_sparse),
  };
}

}  // namespace megablocks
