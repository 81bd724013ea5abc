// What the launchers that sort by cub's radix sort share: keys with their places, of 32 bits each.
#pragma once

#include <cub/device/device_radix_sort.cuh>

#include "common.cuh"

namespace megablocks {

/// As the arrays in a workspace lie.
inline size_t aligned(size_t bytes) { return (bytes + 255) / 256 * 256; }

/// The bytes of workspace to sort so many keys with their places.
template <typename Key>
size_t radix_workspace(int64_t size) {
  size_t bytes = 0;
  const Key* none = nullptr;
  Key* out = nullptr;
  cub::DeviceRadixSort::SortPairs(nullptr, bytes, none, out, none, out, size, 0, 32);
  return aligned(bytes);
}

/// out[i] = i.
template <typename Place>
__global__ void iota_kernel(int64_t size, Place* out) {
  for (int64_t i = thread_index(); i < size; i += num_threads()) out[i] = static_cast<Place>(i);
}

}  // namespace megablocks
