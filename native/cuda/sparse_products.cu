// stk's three products of dense and block-sparse matrices, with every transpose.
#include "multiply.cuh"

using namespace megablocks;

namespace {
bool is_valid(const MegaBlocksSparseIndex& index) {
  return index.block_size > 0 && index.rows >= 0 && index.columns >= 0 && index.num_blocks >= 0 &&
         index.rows % index.block_size == 0 && index.columns % index.block_size == 0;
}
}  // namespace

cudaError_t megablocks_sdd(
    int precision, const float* a, const float* b, MegaBlocksSparseIndex index, int64_t k,
    bool transpose_a, bool transpose_b, float* values, cudaStream_t stream) {
  if (!is_valid(index) || k < 0) return cudaErrorInvalidValue;
  const int64_t a_columns = transpose_a ? index.rows : k, b_columns = transpose_b ? k : index.columns;
  const SddProduct product{dense(a, a_columns, transpose_a), dense(b, b_columns, transpose_b), index, k,
                           values};
  const bool aligned = is_aligned(a, a_columns) && is_aligned(b, b_columns) && index.block_size % 4 == 0;
  return multiply(precision, product, aligned, stream);
}

cudaError_t megablocks_dsd(
    int precision, const float* values, const float* b, MegaBlocksSparseIndex index, int64_t n,
    bool transpose_a, bool transpose_b, float* out, cudaStream_t stream) {
  if (!is_valid(index) || n < 0) return cudaErrorInvalidValue;
  const int64_t inner = transpose_a ? index.rows : index.columns, b_columns = transpose_b ? inner : n;
  const DsdProduct product{values, dense(b, b_columns, transpose_b), {index, transpose_a}, n, out};
  const bool aligned = is_aligned(values, index.block_size) && is_aligned(b, b_columns);
  return multiply(precision, product, aligned, stream);
}

cudaError_t megablocks_dds(
    int precision, const float* a, const float* values, MegaBlocksSparseIndex index, int64_t m,
    bool transpose_a, bool transpose_b, float* out, cudaStream_t stream) {
  if (!is_valid(index) || m < 0) return cudaErrorInvalidValue;
  const int64_t inner = transpose_b ? index.columns : index.rows;
  const int64_t n = transpose_b ? index.rows : index.columns, a_columns = transpose_a ? m : inner;
  // The columns of op(values) are the rows of its transpose.
  const DdsProduct product{dense(a, a_columns, transpose_a), values, {index, !transpose_b}, m, n, out};
  const bool aligned = is_aligned(values, index.block_size) && is_aligned(a, a_columns);
  return multiply(precision, product, aligned, stream);
}
