// Rows of a table, and their gradient: the indices are sorted, so that every row of the table adds its
// own rows in their order, without atomics.
#include "radix_sort.cuh"
#include "rows.cuh"

namespace megablocks {
namespace {

constexpr int kThreads = 256;

__global__ void embedding_kernel(
    const float* table, const int32_t* indices, int64_t count, int64_t vocab_size, int64_t size,
    float* out) {
  for (int64_t i = thread_index(); i < count * size; i += num_threads()) {
    const int64_t row = indices[i / size];
    out[i] = row >= 0 && row < vocab_size ? table[row * size + i % size] : 0;
  }
}

/// One block a row of the table.
__global__ void __launch_bounds__(kRowThreads) embedding_grad_kernel(
    const float* dy, const uint32_t* keys, const uint32_t* positions, int64_t count, int64_t vocab_size,
    int64_t size, float* out) {
  for (int64_t row = blockIdx.x; row < vocab_size; row += gridDim.x) {
    // Negative indices are the largest keys.
    const int64_t begin = lower_bound(keys, count, static_cast<uint32_t>(row));
    const int64_t end = lower_bound(keys, count, static_cast<uint32_t>(row + 1));
    for (int64_t i = threadIdx.x; i < size; i += kRowThreads) {
      float sum = 0;
      for (int64_t j = begin; j < end; j++) sum += dy[positions[j] * size + i];
      out[row * size + i] = sum;
    }
  }
}

}  // namespace
}  // namespace megablocks

using namespace megablocks;

cudaError_t megablocks_embedding(
    const float* table, const int32_t* indices, int64_t count, int64_t vocab_size, int64_t size,
    float* out, cudaStream_t stream) {
  if (count * size == 0) return cudaSuccess;
  embedding_kernel<<<grid_for(count * size, kThreads), kThreads, 0, stream>>>(
      table, indices, count, vocab_size, size, out);
  return cudaGetLastError();
}

size_t megablocks_embedding_grad_workspace(int64_t count) {
  return 3 * aligned(count * sizeof(uint32_t)) + radix_workspace<uint32_t>(count);
}

cudaError_t megablocks_embedding_grad(
    const float* dy, const int32_t* indices, int64_t count, int64_t vocab_size, int64_t size,
    float* dtable, void* workspace, size_t workspace_size, cudaStream_t stream) {
  if (workspace_size < megablocks_embedding_grad_workspace(count)) return cudaErrorInvalidValue;
  if (vocab_size * size == 0) return cudaSuccess;
  char* memory = static_cast<char*>(workspace);
  uint32_t* arrays[3];
  for (uint32_t*& array : arrays) {
    array = reinterpret_cast<uint32_t*>(memory);
    memory += aligned(count * sizeof(uint32_t));
  }
  if (count > 0) {
    iota_kernel<<<grid_for(count, kThreads), kThreads, 0, stream>>>(count, arrays[0]);
    size_t bytes = radix_workspace<uint32_t>(count);
    if (cudaError_t e = cub::DeviceRadixSort::SortPairs(
            memory, bytes, reinterpret_cast<const uint32_t*>(indices), arrays[1], arrays[0], arrays[2],
            count, 0, 32, stream)) {
      return e;
    }
  }
  embedding_grad_kernel<<<blocks_for(vocab_size), kRowThreads, 0, stream>>>(
      dy, arrays[1], arrays[2], count, vocab_size, size, dtable);
  return cudaGetLastError();
}
