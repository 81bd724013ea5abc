// stk's three products of dense and block-sparse matrices, with every transpose.
#include "hopper_sparse.cuh"
#include "multiply.cuh"

using namespace megablocks;

namespace {
bool all_aligned(const float* a, const float* b, const float* out) {
  return is_aligned(a, 4) && is_aligned(b, 4) && is_aligned(out, 4);
}

/// How wgmma multiplies, given the memory.
struct HopperForm {
  int precision = kMegaBlocksFloat32;  // It does not.
  size_t workspace = 0;
};
HopperForm sdd_form(int precision, const MegaBlocksSparseIndex& index, int64_t k, bool transpose_a, bool transpose_b) {
  if (!is_valid(index)) return {};
  const int taken = hopper_sdd_precision(precision, index, k, transpose_a, transpose_b);
  if (taken == kMegaBlocksFloat32) return {};
  return {taken, hopper_sdd_workspace(taken, index, k, transpose_a, transpose_b)};
}
HopperForm dsd_form(int precision, const MegaBlocksSparseIndex& index, int64_t n, bool transpose_a, bool transpose_b) {
  if (!is_valid(index)) return {};
  const int taken = hopper_dsd_precision(precision, index, n, transpose_a, transpose_b);
  if (taken == kMegaBlocksFloat32) return {};
  return {taken, hopper_dsd_workspace(taken, index, n, transpose_a, transpose_b)};
}
/// op(a) op(values) = (op(values)' op(a)')'
HopperForm dds_form(int precision, const MegaBlocksSparseIndex& index, int64_t m, bool transpose_a, bool transpose_b) {
  return dsd_form(precision, index, m, !transpose_b, !transpose_a);
}
bool is_taken(const HopperForm& form, size_t workspace_size, const float* a, const float* b, const float* out) {
  return form.precision != kMegaBlocksFloat32 && workspace_size >= form.workspace && all_aligned(a, b, out);
}
}  // namespace

size_t megablocks_sdd_workspace(
    int precision, MegaBlocksSparseIndex index, int64_t k, bool transpose_a, bool transpose_b) {
  return sdd_form(precision, index, k, transpose_a, transpose_b).workspace;
}
size_t megablocks_dsd_workspace(
    int precision, MegaBlocksSparseIndex index, int64_t n, bool transpose_a, bool transpose_b) {
  return dsd_form(precision, index, n, transpose_a, transpose_b).workspace;
}
size_t megablocks_dds_workspace(
    int precision, MegaBlocksSparseIndex index, int64_t m, bool transpose_a, bool transpose_b) {
  return dds_form(precision, index, m, transpose_a, transpose_b).workspace;
}

cudaError_t megablocks_sdd(
    int precision, const float* a, const float* b, MegaBlocksSparseIndex index, int64_t k,
    bool transpose_a, bool transpose_b, float* values, void* workspace, size_t workspace_size,
    cudaStream_t stream) {
  if (!is_valid(index) || k < 0) return cudaErrorInvalidValue;
  const HopperForm form = sdd_form(precision, index, k, transpose_a, transpose_b);
  if (is_taken(form, workspace_size, a, b, values)) {
    return hopper_sdd(form.precision, a, b, index, k, transpose_a, transpose_b, values, workspace, stream);
  }
  const int64_t a_columns = transpose_a ? index.rows : k, b_columns = transpose_b ? k : index.columns;
  const SddProduct product{dense(a, a_columns, transpose_a), dense(b, b_columns, transpose_b), index, k,
                           values};
  const bool aligned = is_aligned(a, a_columns) && is_aligned(b, b_columns) && index.block_size % 4 == 0;
  return multiply(precision, product, aligned, stream);
}

cudaError_t megablocks_dsd(
    int precision, const float* values, const float* b, MegaBlocksSparseIndex index, int64_t n,
    bool transpose_a, bool transpose_b, float* out, void* workspace, size_t workspace_size,
    cudaStream_t stream) {
  if (!is_valid(index) || n < 0) return cudaErrorInvalidValue;
  const HopperForm form = dsd_form(precision, index, n, transpose_a, transpose_b);
  if (is_taken(form, workspace_size, values, b, out)) {
    return hopper_dsd(form.precision, values, b, index, n, transpose_a, transpose_b, false, out, workspace, stream);
  }
  const int64_t inner = transpose_a ? index.rows : index.columns, b_columns = transpose_b ? inner : n;
  const DsdProduct product{values, dense(b, b_columns, transpose_b), {index, transpose_a}, n, out};
  const bool aligned = is_aligned(values, index.block_size) && is_aligned(b, b_columns);
  return multiply(precision, product, aligned, stream);
}

cudaError_t megablocks_dds(
    int precision, const float* a, const float* values, MegaBlocksSparseIndex index, int64_t m,
    bool transpose_a, bool transpose_b, float* out, void* workspace, size_t workspace_size,
    cudaStream_t stream) {
  if (!is_valid(index) || m < 0) return cudaErrorInvalidValue;
  const HopperForm form = dds_form(precision, index, m, transpose_a, transpose_b);
  if (is_taken(form, workspace_size, a, values, out)) {
    return hopper_dsd(form.precision, values, a, index, m, !transpose_b, !transpose_a, true, out, workspace, stream);
  }
  const int64_t inner = transpose_b ? index.columns : index.rows;
  const int64_t n = transpose_b ? index.rows : index.columns, a_columns = transpose_a ? m : inner;
  // The columns of op(values) are the rows of its transpose.
  const DdsProduct product{dense(a, a_columns, transpose_a), values, {index, !transpose_b}, m, n, out};
  const bool aligned = is_aligned(values, index.block_size) && is_aligned(a, a_columns);
  return multiply(precision, product, aligned, stream);
}
