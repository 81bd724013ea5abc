// The rows between the bins times each expert's matrix, and the gradient of those matrices.
#include "multiply.cuh"

namespace megablocks {
namespace {

constexpr int kThreads = 256;

/// Rows beyond the last bin are a product of nothing.
__global__ void zero_rest_kernel(
    const int32_t* bins, int num_experts, int64_t rows, int64_t n, float* out) {
  int64_t begin = 0;
  for (int i = 0; i < num_experts; i++) begin = min(max(int64_t{bins[i]}, begin), rows);
  for (int64_t i = begin * n + thread_index(); i < rows * n; i += num_threads()) out[i] = 0;
}

}  // namespace
}  // namespace megablocks

using namespace megablocks;

size_t megablocks_grouped_mat_mul_workspace(
    int, int64_t, int64_t, int64_t, int32_t, bool, bool) {
  return 0;
}

cudaError_t megablocks_grouped_mat_mul(
    int precision, const float* a, const float* b, const int32_t* bins, int64_t rows, int64_t k,
    int64_t n, int32_t num_experts, bool transpose_a, bool transpose_b, float* out, void*, size_t,
    cudaStream_t stream) {
  if (rows < 0 || k < 0 || n < 0 || num_experts < 0) return cudaErrorInvalidValue;
  const bool aligned = is_aligned(a, k) && is_aligned(b, n) && k % 4 == 0;
  if (transpose_a) {
    const GroupedTransposedProduct product{a, b, bins, rows, k, n, num_experts, out};
    return multiply(precision, product, aligned, stream);
  }
  if (rows * n == 0) return cudaSuccess;
  // Few blocks: most often there is nothing beyond the last bin.
  zero_rest_kernel<<<256, kThreads, 0, stream>>>(bins, num_experts, rows, n, out);
  if (cudaError_t e = cudaGetLastError()) return e;
  const GroupedProduct product{a, b, bins, rows, k, n, num_experts, transpose_b, out};
  return multiply(precision, product, aligned, stream);
}
