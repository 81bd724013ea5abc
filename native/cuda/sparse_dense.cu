// A block-sparse matrix from its dense form, and back: one thread block a sparse block at a time.
#include "products.cuh"

namespace megablocks {
namespace {

constexpr int kThreads = 256;

/// Calls f(place in the values, place in the dense matrix, used) for every element of every block.
template <typename F>
__device__ void for_each_element(const MegaBlocksSparseIndex& index, F f) {
  const int64_t size = index.block_size;
  for (int64_t block = blockIdx.x; block < index.num_blocks; block += gridDim.x) {
    const int64_t row = index.row_indices[block], column = index.column_indices[block];
    const bool used = is_used(index, row, column);
    const int64_t begin = row * size * index.columns + column * size;
    for (int64_t i = threadIdx.x; i < size * size; i += kThreads) {
      f(block * size * size + i, begin + i / size * index.columns + i % size, used);
    }
  }
}

__global__ void sparse_to_dense_kernel(const float* values, MegaBlocksSparseIndex index, float* out) {
  for_each_element(index, [&](int64_t sparse, int64_t dense, bool used) {
    if (used) out[dense] = values[sparse];
  });
}

__global__ void dense_to_sparse_kernel(const float* x, MegaBlocksSparseIndex index, float* values) {
  for_each_element(index, [&](int64_t sparse, int64_t dense, bool used) {
    values[sparse] = used ? x[dense] : 0;
  });
}

}  // namespace
}  // namespace megablocks

using namespace megablocks;

cudaError_t megablocks_sparse_to_dense(
    const float* values, MegaBlocksSparseIndex index, float* out, cudaStream_t stream) {
  if (!is_valid(index)) return cudaErrorInvalidValue;
  const int64_t size = index.rows * index.columns;
  if (size == 0) return cudaSuccess;
  if (cudaError_t e = cudaMemsetAsync(out, 0, size * sizeof(float), stream)) return e;
  if (index.num_blocks == 0) return cudaSuccess;
  sparse_to_dense_kernel<<<grid_for(index.num_blocks, 1), kThreads, 0, stream>>>(values, index, out);
  return cudaGetLastError();
}

cudaError_t megablocks_dense_to_sparse(
    const float* x, MegaBlocksSparseIndex index, float* values, cudaStream_t stream) {
  if (!is_valid(index)) return cudaErrorInvalidValue;
  if (index.num_blocks == 0) return cudaSuccess;
  dense_to_sparse_kernel<<<grid_for(index.num_blocks, 1), kThreads, 0, stream>>>(x, index, values);
  return cudaGetLastError();
}
