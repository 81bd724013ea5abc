// Softmax cross-entropy with integer labels; a label out of range is ignored.
#include "rows.cuh"

namespace megablocks {
namespace {

__global__ void __launch_bounds__(kRowThreads) cross_entropy_kernel(
    const float* logits, const int32_t* labels, int64_t rows, int64_t size, float* losses,
    float* log_sums) {
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const float* line = logits + row * size;
    const int64_t label = labels[row];
    if (label < 0 || label >= size) {
      if (threadIdx.x == 0) losses[row] = log_sums[row] = 0;
      continue;
    }
    float largest = -INFINITY;
    for (int64_t i = threadIdx.x; i < size; i += kRowThreads) largest = larger(largest, line[i]);
    largest = max_block(largest);
    const float sum = sum_row(size, [&](int64_t i) { return expf(line[i] - largest); });
    if (threadIdx.x == 0) {
      const float log_sum = logf(sum);
      // The difference of the two largest terms comes first: it is exact where it matters.
      losses[row] = log_sum + (largest - line[label]);
      log_sums[row] = log_sum + largest;
    }
  }
}

__global__ void __launch_bounds__(kRowThreads) cross_entropy_grad_kernel(
    const float* logits, const int32_t* labels, const float* log_sums, const float* dy, int64_t rows,
    int64_t size, float* out) {
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const float* line = logits + row * size;
    const int64_t label = labels[row];
    const bool used = label >= 0 && label < size;
    const float log_sum = log_sums[row], factor = dy[row];
    for (int64_t i = threadIdx.x; i < size; i += kRowThreads) {
      out[row * size + i] = used ? factor * expf(line[i] - log_sum) - (i == label ? factor : 0) : 0;
    }
  }
}

}  // namespace
}  // namespace megablocks

using namespace megablocks;

cudaError_t megablocks_cross_entropy(
    const float* logits, const int32_t* labels, int64_t rows, int64_t size, float* losses,
    float* log_sums, cudaStream_t stream) {
  if (rows == 0) return cudaSuccess;
  cross_entropy_kernel<<<blocks_for(rows), kRowThreads, 0, stream>>>(
      logits, labels, rows, size, losses, log_sums);
  return cudaGetLastError();
}

cudaError_t megablocks_cross_entropy_grad(
    const float* logits, const int32_t* labels, const float* log_sums, const float* dy, int64_t rows,
    int64_t size, float* dlogits, cudaStream_t stream) {
  if (rows * size == 0) return cudaSuccess;
  cross_entropy_grad_kernel<<<blocks_for(rows), kRowThreads, 0, stream>>>(
      logits, labels, log_sums, dy, rows, size, dlogits);
  return cudaGetLastError();
}
