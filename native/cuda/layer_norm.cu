// Layer normalization over the last axis.
#include "rows.cuh"

namespace megablocks {
namespace {

struct Statistics {
  float mean, scale;
};

__device__ Statistics statistics_of(const float* x, int64_t size, float epsilon) {
  const float mean = sum_row(size, [&](int64_t i) { return x[i]; }) / size;
  const float variance = sum_row(size, [&](int64_t i) { return (x[i] - mean) * (x[i] - mean); }) / size;
  return {mean, 1 / sqrtf(variance + epsilon)};
}

__global__ void __launch_bounds__(kRowThreads) layer_norm_kernel(
    const float* x, const float* gamma, const float* beta, int64_t rows, int64_t size, float epsilon,
    float* out) {
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const float* line = x + row * size;
    const Statistics s = statistics_of(line, size, epsilon);
    for (int64_t i = threadIdx.x; i < size; i += kRowThreads) {
      out[row * size + i] = (line[i] - s.mean) * s.scale * gamma[i] + beta[i];
    }
  }
}

/// With g = gamma dy and n the normalized row: dx = (g - mean(g) - n mean(g n)) scale.
__global__ void __launch_bounds__(kRowThreads) layer_norm_grad_kernel(
    const float* x, const float* gamma, const float* dy, int64_t rows, int64_t size, float epsilon,
    float* dx) {
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const float *line = x + row * size, *dy_line = dy + row * size;
    const Statistics s = statistics_of(line, size, epsilon);
    // Rounded before it is subtracted, so that equal terms cancel.
    const auto g = [&](int64_t i) { return __fmul_rn(gamma[i], dy_line[i]); };
    const auto normal = [&](int64_t i) { return (line[i] - s.mean) * s.scale; };
    const float mean_g = sum_row(size, g) / size;
    const float mean_gn = sum_row(size, [&](int64_t i) { return g(i) * normal(i); }) / size;
    for (int64_t i = threadIdx.x; i < size; i += kRowThreads) {
      dx[row * size + i] = (g(i) - mean_g - normal(i) * mean_gn) * s.scale;
    }
  }
}

__global__ void __launch_bounds__(kRowThreads) statistics_kernel(
    const float* x, int64_t rows, int64_t size, float epsilon, Statistics* out) {
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const Statistics s = statistics_of(x + row * size, size, epsilon);
    if (threadIdx.x == 0) out[row] = s;
  }
}

constexpr int kColumns = 32;
constexpr int kRows = 32;

/// A block sums 32 columns: each of its 32 rows of threads takes every 32nd row, in a fixed order.
__global__ void __launch_bounds__(kColumns * kRows) gamma_grad_kernel(
    const float* x, const float* dy, int64_t rows, int64_t size, const Statistics* statistics,
    float* dgamma) {
  __shared__ float shared[kRows][kColumns + 1];
  const int column = threadIdx.x % kColumns, first = threadIdx.x / kColumns;
  const int64_t i = blockIdx.x * int64_t{kColumns} + column;
  float sum = 0;
  if (i < size) {
    for (int64_t row = first; row < rows; row += kRows) {
      const Statistics s = statistics[row];
      sum += dy[row * size + i] * ((x[row * size + i] - s.mean) * s.scale);
    }
  }
  shared[first][column] = sum;
  __syncthreads();
  if (first == 0 && i < size) {
    for (int row = 1; row < kRows; row++) sum += shared[row][column];
    dgamma[i] = sum;
  }
}

}  // namespace
}  // namespace megablocks

using namespace megablocks;

cudaError_t megablocks_layer_norm(
    const float* x, const float* gamma, const float* beta, int64_t rows, int64_t size, float epsilon,
    float* out, cudaStream_t stream) {
  if (rows * size == 0) return cudaSuccess;
  layer_norm_kernel<<<blocks_for(rows), kRowThreads, 0, stream>>>(x, gamma, beta, rows, size, epsilon, out);
  return cudaGetLastError();
}

cudaError_t megablocks_layer_norm_grad(
    const float* x, const float* gamma, const float* dy, int64_t rows, int64_t size, float epsilon,
    float* dx, cudaStream_t stream) {
  if (rows * size == 0) return cudaSuccess;
  layer_norm_grad_kernel<<<blocks_for(rows), kRowThreads, 0, stream>>>(x, gamma, dy, rows, size, epsilon, dx);
  return cudaGetLastError();
}

size_t megablocks_layer_norm_gamma_grad_workspace(int64_t rows) { return rows * sizeof(Statistics); }

cudaError_t megablocks_layer_norm_gamma_grad(
    const float* x, const float* dy, int64_t rows, int64_t size, float epsilon, float* dgamma,
    void* workspace, cudaStream_t stream) {
  if (size == 0) return cudaSuccess;
  Statistics* statistics = static_cast<Statistics*>(workspace);
  if (rows > 0) {
    statistics_kernel<<<blocks_for(rows), kRowThreads, 0, stream>>>(x, rows, size, epsilon, statistics);
  }
  gamma_grad_kernel<<<static_cast<unsigned>(ceil_divide<int64_t>(size, kColumns)), kColumns * kRows, 0,
                      stream>>>(x, dy, rows, size, statistics, dgamma);
  return cudaGetLastError();
}
