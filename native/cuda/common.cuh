// What several launchers share.
#pragma once

#include <cstdint>

#include "megablocks.h"

namespace megablocks {

constexpr int kWarp = 32;

template <typename T>
__host__ __device__ constexpr T ceil_divide(T a, T b) {
  return (a + b - 1) / b;
}

/// Blocks for a grid-stride loop over `size` elements.
inline unsigned grid_for(int64_t size, int threads) {
  const int64_t blocks = ceil_divide<int64_t>(size, threads);
  return static_cast<unsigned>(blocks < 1 ? 1 : blocks > 65536 ? 65536 : blocks);
}

__device__ inline int64_t thread_index() { return blockIdx.x * int64_t{blockDim.x} + threadIdx.x; }
__device__ inline int64_t num_threads() { return gridDim.x * int64_t{blockDim.x}; }

/// Whether vectors of 16 bytes may be read and written from there on.
inline bool is_aligned(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer) % 16 == 0; }

/// The first of the keys, which must ascend, that is not below `key`; `size` where there is none.
template <typename Key, typename Size, typename Other>
__device__ Size lower_bound(const Key* keys, Size size, Other key) {
  Size low = 0, high = size;
  while (low < high) {
    const Size middle = (low + high) / 2;
    if (keys[middle] < key) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/// The first bin whose end is beyond `position`; num_bins where there is none. Bins must ascend.
__device__ inline int bin_of(const int32_t* bins, int num_bins, int64_t position) {
  return lower_bound(bins, num_bins, position + 1);
}

__device__ inline int begin_of(const int32_t* bins, int bin) {
  return bin == 0 ? 0 : max(bins[bin - 1], 0);
}

}  // namespace megablocks
