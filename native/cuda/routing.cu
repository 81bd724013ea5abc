// Routing metadata: int32, exact.
#include <cub/block/block_scan.cuh>

#include "radix_sort.cuh"
#include "rows.cuh"

namespace megablocks {
namespace {

constexpr int kThreads = 256;
/// Counters that fit the shared memory of every GPU: 32 KiB.
constexpr int kMaxSharedCounters = 8192;

/// Counts in shared memory; blockIdx.y goes over the rows of x.
__global__ void histogram_kernel(
    const int32_t* x, int64_t batch, int64_t size, int max, int32_t* counts) {
  extern __shared__ int32_t shared[];
  for (int64_t row = blockIdx.y; row < batch; row += gridDim.y) {
    for (int i = threadIdx.x; i < max; i += blockDim.x) shared[i] = 0;
    __syncthreads();
    for (int64_t i = thread_index(); i < size; i += num_threads()) {
      const int value = x[row * size + i];
      if (value >= 0 && value < max) atomicAdd(&shared[value], 1);
    }
    __syncthreads();
    for (int i = threadIdx.x; i < max; i += blockDim.x) {
      if (shared[i] != 0) atomicAdd(&counts[row * max + i], shared[i]);
    }
    __syncthreads();
  }
}

/// As above, straight to global memory: for more counters than shared memory holds.
__global__ void wide_histogram_kernel(
    const int32_t* x, int64_t batch, int64_t size, int max, int32_t* counts) {
  for (int64_t i = thread_index(); i < batch * size; i += num_threads()) {
    const int value = x[i];
    if (value >= 0 && value < max) atomicAdd(&counts[i / size * max + value], 1);
  }
}

/// The least multiple that is not below the value; one that int32 cannot hold wraps around.
__device__ int round_up(int value, int multiple) {
  const int64_t quotient = value / multiple;
  return static_cast<int>((value > quotient * multiple ? quotient + 1 : quotient) * multiple);
}

__global__ void round_up_kernel(const int32_t* x, int64_t size, int multiple, int32_t* out) {
  for (int64_t i = thread_index(); i < size; i += num_threads()) out[i] = round_up(x[i], multiple);
}

/// One block a row: sums of the elements rounded up to `multiple`.
__global__ void cumsum_kernel(
    const int32_t* x, int64_t size, int multiple, bool exclusive, int32_t* out) {
  using Scan = cub::BlockScan<int, kThreads>;
  __shared__ typename Scan::TempStorage storage;
  const int64_t row = blockIdx.x * size;
  int carry = 0;
  for (int64_t begin = 0; begin < size; begin += kThreads) {
    const int64_t i = begin + threadIdx.x;
    const int value = i < size ? round_up(x[row + i], multiple) : 0;
    int sum, total;
    Scan(storage).InclusiveSum(value, sum, total);
    if (i < size) out[row + i] = carry + (exclusive ? sum - value : sum);
    carry += total;
    __syncthreads();
  }
}

__global__ void topology_kernel(
    const int32_t* padded_bins, int num_experts, int block_size, int64_t block_rows,
    int64_t blocks_per_row, int32_t* out) {
  for (int64_t i = thread_index(); i < block_rows * blocks_per_row; i += num_threads()) {
    const int expert = bin_of(padded_bins, num_experts, i / blocks_per_row * block_size);
    out[i] = expert < num_experts
                 ? static_cast<int32_t>(expert * blocks_per_row + i % blocks_per_row)
                 : -1;
  }
}

__global__ void replicate_kernel(
    const int32_t* x, const int32_t* bins, int64_t batch, int num_bins, int64_t num_outputs,
    int32_t* out) {
  for (int64_t i = thread_index(); i < batch * num_outputs; i += num_threads()) {
    const int bin = bin_of(bins, num_bins, i % num_outputs);
    out[i] = bin < num_bins ? x[i / num_outputs * num_bins + bin] : 0;
  }
}

/// One block a sum.
__global__ void __launch_bounds__(kRowThreads) replicate_grad_kernel(
    const float* dy, const int32_t* bins, int64_t batch, int num_bins, int64_t num_outputs, float* dx) {
  for (int64_t i = blockIdx.x; i < batch * num_bins; i += gridDim.x) {
    const int bin = static_cast<int>(i % num_bins);
    const float* line = dy + i / num_bins * num_outputs + begin_of(bins, bin);
    const int64_t size = min(int64_t{bins[bin]}, num_outputs) - begin_of(bins, bin);
    const float sum = sum_row(size, [&](int64_t j) { return line[j]; });
    if (threadIdx.x == 0) dx[i] = sum;
  }
}

__global__ void take_along_rows_kernel(
    const float* x, const int32_t* indices, int64_t rows, int64_t columns, int64_t k, float* out) {
  for (int64_t i = thread_index(); i < rows * k; i += num_threads()) {
    const int64_t column = indices[i];
    out[i] = column >= 0 && column < columns ? x[i / k * columns + column] : 0;
  }
}

/// One thread a column of a row: k is small, and the order of a sum is always the same.
__global__ void take_along_rows_grad_kernel(
    const float* dy, const int32_t* indices, int64_t rows, int64_t columns, int64_t k, float* dx) {
  for (int64_t i = thread_index(); i < rows * columns; i += num_threads()) {
    const int64_t first = i / columns * k, column = i % columns;
    float sum = 0;
    for (int64_t j = first; j < first + k; j++) {
      if (indices[j] == column) sum += dy[j];
    }
    dx[i] = sum;
  }
}

__global__ void row_indices_kernel(
    const int32_t* offsets, int block_rows, int64_t num_blocks, int32_t* out) {
  for (int64_t i = thread_index(); i < num_blocks; i += num_threads()) {
    const int row = bin_of(offsets + 1, block_rows, i);
    out[i] = row < block_rows && i >= offsets[row] ? row : -1;
  }
}

/// NaN is the greatest; equals are not, so the first stays first.
__device__ bool is_greater(float a, float b) { return a > b || (isnan(a) && !isnan(b)); }

/// One thread a row, which keeps its best k sorted in the output itself: rows are short, and k shorter.
__global__ void top_k_kernel(
    const float* x, int64_t rows, int columns, int k, int32_t* indices) {
  for (int64_t row = thread_index(); row < rows; row += num_threads()) {
    const float* line = x + row * columns;
    int32_t* top = indices + row * k;
    for (int column = 0; column < columns; column++) {
      const float value = line[column];
      int rank = min(column, k - 1);
      if (column >= k && !is_greater(value, line[top[rank]])) continue;
      for (; rank > 0 && is_greater(value, line[top[rank - 1]]); rank--) top[rank] = top[rank - 1];
      top[rank] = column;
    }
  }
}

/// The key of a block for the sort by column; unused blocks come last.
__global__ void column_keys_kernel(
    const int32_t* rows, const int32_t* columns, int64_t size, int block_columns, int32_t* keys,
    int32_t* iota) {
  for (int64_t i = thread_index(); i < size; i += num_threads()) {
    const bool used = rows[i] >= 0 && columns[i] >= 0 && columns[i] < block_columns;
    keys[i] = used ? columns[i] : block_columns;
    iota[i] = static_cast<int32_t>(i);
  }
}

__global__ void transposed_index_kernel(
    const int32_t* rows, const int32_t* keys, const int32_t* blocks, int64_t size, int block_columns,
    int32_t* columns_t, int32_t* offsets_t, int32_t* block_offsets_t) {
  for (int64_t i = thread_index(); i < size; i += num_threads()) {
    const bool used = keys[i] < block_columns;
    columns_t[i] = used ? rows[blocks[i]] : -1;
    block_offsets_t[i] = used ? blocks[i] : -1;
  }
  for (int64_t column = thread_index(); column <= block_columns; column += num_threads()) {
    offsets_t[column] = static_cast<int32_t>(lower_bound(keys, size, column));
  }
}

/// How many bits the numbers 0 .. value take.
int bits_of(int64_t value) {
  int bits = 1;
  while (value >> bits) bits++;
  return bits;
}

}  // namespace
}  // namespace megablocks

using namespace megablocks;

size_t megablocks_sort_workspace(int64_t size) {
  return aligned(size * sizeof(int32_t)) + radix_workspace<int32_t>(size);
}

cudaError_t megablocks_sort(
    const int32_t* keys, int64_t size, int end_bit, int32_t* sorted, int32_t* permutation,
    void* workspace, size_t workspace_size, cudaStream_t stream) {
  if (workspace_size < megablocks_sort_workspace(size) || end_bit < 1 || end_bit > 32) {
    return cudaErrorInvalidValue;
  }
  if (size == 0) return cudaSuccess;
  int32_t* iota = static_cast<int32_t*>(workspace);
  iota_kernel<<<grid_for(size, kThreads), kThreads, 0, stream>>>(size, iota);
  size_t bytes = radix_workspace<int32_t>(size);
  void* temporary = static_cast<char*>(workspace) + aligned(size * sizeof(int32_t));
  return cub::DeviceRadixSort::SortPairs(
      temporary, bytes, keys, sorted, iota, permutation, size, 0, end_bit, stream);
}

cudaError_t megablocks_histogram(
    const int32_t* x, int64_t batch, int64_t size, int32_t max, int32_t* counts, cudaStream_t stream) {
  if (max < 0) return cudaErrorInvalidValue;
  if (batch == 0 || max == 0) return cudaSuccess;
  if (cudaError_t e = cudaMemsetAsync(counts, 0, batch * max * sizeof(int32_t), stream)) return e;
  if (size == 0) return cudaSuccess;
  // A block counts a few thousand elements before it adds its counts to the others'.
  const dim3 grid(grid_for(ceil_divide<int64_t>(size, 16), kThreads),
                  static_cast<unsigned>(batch < 65535 ? batch : 65535));
  if (max <= kMaxSharedCounters) {
    histogram_kernel<<<grid, kThreads, max * sizeof(int32_t), stream>>>(x, batch, size, max, counts);
  } else {
    wide_histogram_kernel<<<grid_for(batch * size, kThreads), kThreads, 0, stream>>>(
        x, batch, size, max, counts);
  }
  return cudaGetLastError();
}

cudaError_t megablocks_cumsum(
    const int32_t* x, int64_t batch, int64_t size, bool exclusive, int32_t* out, cudaStream_t stream) {
  if (batch == 0 || size == 0) return cudaSuccess;
  cumsum_kernel<<<batch, kThreads, 0, stream>>>(x, size, 1, exclusive, out);
  return cudaGetLastError();
}

cudaError_t megablocks_round_up(
    const int32_t* x, int64_t size, int32_t multiple, int32_t* out, cudaStream_t stream) {
  if (multiple < 1) return cudaErrorInvalidValue;
  if (size == 0) return cudaSuccess;
  round_up_kernel<<<grid_for(size, kThreads), kThreads, 0, stream>>>(x, size, multiple, out);
  return cudaGetLastError();
}

cudaError_t megablocks_padded_bins(
    const int32_t* tokens_per_expert, int64_t num_experts, int32_t block_size, int32_t* out,
    cudaStream_t stream) {
  if (block_size < 1) return cudaErrorInvalidValue;
  if (num_experts == 0) return cudaSuccess;
  cumsum_kernel<<<1, kThreads, 0, stream>>>(tokens_per_expert, num_experts, block_size, false, out);
  return cudaGetLastError();
}

cudaError_t megablocks_topology(
    const int32_t* padded_bins, int64_t num_experts, int32_t block_size, int64_t block_rows,
    int64_t blocks_per_row, int32_t* column_indices, cudaStream_t stream) {
  const int64_t size = block_rows * blocks_per_row;
  if (block_size < 1) return cudaErrorInvalidValue;
  if (size == 0) return cudaSuccess;
  topology_kernel<<<grid_for(size, kThreads), kThreads, 0, stream>>>(
      padded_bins, num_experts, block_size, block_rows, blocks_per_row, column_indices);
  return cudaGetLastError();
}

cudaError_t megablocks_replicate(
    const void* x, const int32_t* bins, int64_t batch, int64_t num_bins, int64_t num_outputs, void* out,
    cudaStream_t stream) {
  if (batch * num_outputs == 0) return cudaSuccess;
  replicate_kernel<<<grid_for(batch * num_outputs, kThreads), kThreads, 0, stream>>>(
      static_cast<const int32_t*>(x), bins, batch, num_bins, num_outputs, static_cast<int32_t*>(out));
  return cudaGetLastError();
}

cudaError_t megablocks_replicate_grad(
    const float* dy, const int32_t* bins, int64_t batch, int64_t num_bins, int64_t num_outputs,
    float* dx, cudaStream_t stream) {
  if (batch * num_bins == 0) return cudaSuccess;
  replicate_grad_kernel<<<blocks_for(batch * num_bins), kRowThreads, 0, stream>>>(
      dy, bins, batch, static_cast<int>(num_bins), num_outputs, dx);
  return cudaGetLastError();
}

cudaError_t megablocks_take_along_rows(
    const float* x, const int32_t* indices, int64_t rows, int64_t columns, int64_t k, float* out,
    cudaStream_t stream) {
  if (rows * k == 0) return cudaSuccess;
  take_along_rows_kernel<<<grid_for(rows * k, kThreads), kThreads, 0, stream>>>(
      x, indices, rows, columns, k, out);
  return cudaGetLastError();
}

cudaError_t megablocks_take_along_rows_grad(
    const float* dy, const int32_t* indices, int64_t rows, int64_t columns, int64_t k, float* dx,
    cudaStream_t stream) {
  if (rows * columns == 0) return cudaSuccess;
  take_along_rows_grad_kernel<<<grid_for(rows * columns, kThreads), kThreads, 0, stream>>>(
      dy, indices, rows, columns, k, dx);
  return cudaGetLastError();
}

cudaError_t megablocks_row_indices(
    const int32_t* offsets, int64_t block_rows, int64_t num_blocks, int32_t* row_indices,
    cudaStream_t stream) {
  if (block_rows < 0) return cudaErrorInvalidValue;
  if (num_blocks == 0) return cudaSuccess;
  row_indices_kernel<<<grid_for(num_blocks, kThreads), kThreads, 0, stream>>>(
      offsets, static_cast<int>(block_rows), num_blocks, row_indices);
  return cudaGetLastError();
}

cudaError_t megablocks_top_k(
    const float* x, int64_t rows, int32_t columns, int32_t k, int32_t* indices, cudaStream_t stream) {
  if (k < 0 || k > columns) return cudaErrorInvalidValue;
  if (rows == 0 || k == 0) return cudaSuccess;
  top_k_kernel<<<grid_for(rows, kThreads), kThreads, 0, stream>>>(x, rows, columns, k, indices);
  return cudaGetLastError();
}

size_t megablocks_sparse_transpose_workspace(int64_t num_blocks) {
  return 4 * aligned(num_blocks * sizeof(int32_t)) + radix_workspace<int32_t>(num_blocks);
}

cudaError_t megablocks_sparse_transpose(
    const int32_t* row_indices, const int32_t* column_indices, int64_t num_blocks,
    int32_t block_columns, int32_t* column_indices_t, int32_t* offsets_t, int32_t* block_offsets_t,
    void* workspace, size_t workspace_size, cudaStream_t stream) {
  if (num_blocks < 0 || block_columns < 0 || workspace_size < megablocks_sparse_transpose_workspace(num_blocks)) {
    return cudaErrorInvalidValue;
  }
  char* memory = static_cast<char*>(workspace);
  int32_t* arrays[4];
  for (int32_t*& array : arrays) {
    array = reinterpret_cast<int32_t*>(memory);
    memory += aligned(num_blocks * sizeof(int32_t));
  }
  auto [keys, iota, sorted, blocks] = arrays;
  if (num_blocks > 0) {
    column_keys_kernel<<<grid_for(num_blocks, kThreads), kThreads, 0, stream>>>(
        row_indices, column_indices, num_blocks, block_columns, keys, iota);
    size_t bytes = radix_workspace<int32_t>(num_blocks);
    if (cudaError_t e = cub::DeviceRadixSort::SortPairs(
            memory, bytes, keys, sorted, iota, blocks, num_blocks, 0, bits_of(block_columns), stream)) {
      return e;
    }
  }
  transposed_index_kernel<<<
      grid_for(max(num_blocks, int64_t{block_columns} + 1), kThreads), kThreads, 0, stream>>>(
      row_indices, sorted, blocks, num_blocks, block_columns, column_indices_t, offsets_t,
      block_offsets_t);
  return cudaGetLastError();
}
