// Reductions over a row by one block.
#pragma once

#include "common.cuh"

namespace megablocks {

constexpr int kRowThreads = 256;

/// What `combine` makes of the values of all threads; the same on every thread.
template <typename Combine>
__device__ float reduce_block(float value, Combine combine) {
  __shared__ float shared[kRowThreads / kWarp];
  for (int step = kWarp / 2; step > 0; step /= 2) {
    value = combine(value, __shfl_xor_sync(~0u, value, step));
  }
  __syncthreads();
  if (threadIdx.x % kWarp == 0) shared[threadIdx.x / kWarp] = value;
  __syncthreads();
  value = shared[0];
  for (int i = 1; i < kRowThreads / kWarp; i++) value = combine(value, shared[i]);
  return value;
}

__device__ inline float sum_block(float value) {
  return reduce_block(value, [](float a, float b) { return a + b; });
}
/// The larger; NaN where there is one.
__device__ inline float larger(float a, float b) { return a > b || isnan(a) ? a : b; }
__device__ inline float max_block(float value) { return reduce_block(value, larger); }

/// The sum over a row of f(i).
template <typename F>
__device__ float sum_row(int64_t size, F f) {
  float sum = 0;
  for (int64_t i = threadIdx.x; i < size; i += kRowThreads) sum += f(i);
  return sum_block(sum);
}

/// One block a row, as many as a grid holds.
inline unsigned blocks_for(int64_t rows) { return static_cast<unsigned>(rows < 1 << 20 ? rows : 1 << 20); }

}  // namespace megablocks
