// The rows between the bins times each expert's matrix, and the gradient of those matrices.
#include "hopper_grouped.cuh"
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

/// The precision to multiply in by wgmma, given the memory; kMegaBlocksFloat32 where it does not.
int hopper_precision(
    int precision, int64_t rows, int64_t k, int64_t n, int num_experts, bool transpose_a, bool transpose_b) {
  // The TMA counts rows in int32.
  if (rows > INT32_MAX / 2) return kMegaBlocksFloat32;
  const bool has_bfloat16 = hopper_supports(k, n);
  if (transpose_a && precision == kMegaBlocksBfloat16) {
    // TF32 takes a pass over an operand too.
    return has_bfloat16 ? precision : kMegaBlocksFloat32;
  }
  // In bfloat16, the larger operand may do without a pass over it; in TF32 both, and it is faster at that where both
  // lie along the inner size.
  const bool takes_tf32 = transpose_b || precision == kMegaBlocksTf32 || !has_bfloat16;
  return faster_precision(precision, has_bfloat16, takes_tf32 && hopper_supports(k, n, 4), double(rows) * k * n,
                          double(rows) * k + double(num_experts) * k * n);
}

size_t hopper_workspace(
    int precision, int64_t rows, int64_t k, int64_t n, int num_experts, bool transpose_a, bool transpose_b) {
  if (precision == kMegaBlocksTf32) return hopper_grouped_tf32_workspace(rows, k, n, transpose_a);
  if (precision != kMegaBlocksBfloat16) return 0;
  return hopper_grouped_workspace(rows, k, n, num_experts, transpose_a, transpose_b);
}

}  // namespace
}  // namespace megablocks

using namespace megablocks;

size_t megablocks_grouped_mat_mul_workspace(
    int precision, int64_t rows, int64_t k, int64_t n, int32_t num_experts, bool transpose_a,
    bool transpose_b) {
  return hopper_workspace(hopper_precision(precision, rows, k, n, num_experts, transpose_a, transpose_b), rows, k,
                          n, num_experts, transpose_a, transpose_b);
}

cudaError_t megablocks_grouped_mat_mul(
    int precision, const float* a, const float* b, const int32_t* bins, int64_t rows, int64_t k,
    int64_t n, int32_t num_experts, bool transpose_a, bool transpose_b, float* out, void* workspace,
    size_t workspace_size, cudaStream_t stream) {
  if (rows < 0 || k < 0 || n < 0 || num_experts < 0) return cudaErrorInvalidValue;
  const bool aligned = is_aligned(a, k) && is_aligned(b, n) && k % 4 == 0;
  const int hopper = hopper_precision(precision, rows, k, n, num_experts, transpose_a, transpose_b);
  if (hopper != kMegaBlocksFloat32 && aligned && is_aligned(out, n) &&
      workspace_size >= hopper_workspace(hopper, rows, k, n, num_experts, transpose_a, transpose_b)) {
    if (rows == 0 || num_experts == 0) {
      const int64_t size = (transpose_a ? num_experts * k : rows) * n;
      return size > 0 ? cudaMemsetAsync(out, 0, size * sizeof(float), stream) : cudaSuccess;
    }
    const auto multiply = hopper == kMegaBlocksTf32 ? hopper_grouped_mat_mul_tf32 : hopper_grouped_mat_mul;
    return multiply(a, b, bins, rows, k, n, num_experts, transpose_a, transpose_b, out, workspace, stream);
  }
  if (!transpose_a && rows * n > 0) {
    // Few blocks: most often there is nothing beyond the last bin.
    zero_rest_kernel<<<256, kThreads, 0, stream>>>(bins, num_experts, rows, n, out);
    if (cudaError_t e = cudaGetLastError()) return e;
  }
  if (transpose_a) {
    const GroupedTransposedProduct product{a, b, bins, rows, k, n, num_experts, out};
    return multiply(precision, product, aligned, stream);
  }
  const GroupedProduct product{a, b, bins, rows, k, n, num_experts, transpose_b, out};
  return multiply(precision, product, aligned, stream);
}
