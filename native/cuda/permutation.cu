// Rows between token order and expert order: bandwidth and nothing else. One warp moves one row, four
// floats a lane at a time where rows are whole vectors of four.
#include "common.cuh"

namespace megablocks {
namespace {

constexpr int kWarps = 4;
/// Vectors of a row that a lane loads before it stores any: as many as a row of 512 floats has.
constexpr int kHeld = 4;

/// The vector that a lane moves: float4, or float where rows are no multiple of four.
__device__ float4 operator*(float factor, float4 v) {
  return {factor * v.x, factor * v.y, factor * v.z, factor * v.w};
}
__device__ float4 operator+(float4 a, float4 b) {
  return {a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w};
}
__device__ float dot(float4 a, float4 b) { return a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w; }
__device__ float dot(float a, float b) { return a * b; }

__device__ int64_t warp_index() { return thread_index() / kWarp; }
__device__ int64_t num_warps() { return num_threads() / kWarp; }

/// Rows in the layout.
__host__ __device__ int64_t routed_rows(const MegaBlocksPermutation& p) {
  return p.layout == kMegaBlocksBinned ? p.num_experts * p.num_rows : p.num_rows;
}

/// Where the rows of an expert begin in the layout.
__device__ int64_t first_row(const MegaBlocksPermutation& p, int expert) {
  return p.layout == kMegaBlocksBinned ? expert * p.num_rows : begin_of(p.padded_bins, expert);
}

// Bins that do not ascend, which no routing makes, lead to a row or a position out of range at worst, and
// that is checked.

/// The copy that lies in a row of the layout; -1 where none does.
__device__ int64_t copy_of_row(const MegaBlocksPermutation& p, int64_t row) {
  const int expert = p.layout == kMegaBlocksBinned ? static_cast<int>(row / p.num_rows)
                                                   : bin_of(p.padded_bins, p.num_experts, row);
  if (expert >= p.num_experts) return -1;
  const int64_t offset = row - first_row(p, expert);
  const int64_t position = begin_of(p.bins, expert) + offset;
  if (offset < 0 || position >= min(int64_t{p.bins[expert]}, p.num_copies)) return -1;
  const int64_t copy = p.indices[position];
  return copy >= 0 && copy < p.num_copies ? copy : -1;
}

/// The row in which a sorted position lies; -1 where it was dropped.
__device__ int64_t row_of_position(const MegaBlocksPermutation& p, int64_t position) {
  const int expert = bin_of(p.bins, p.num_experts, position);
  if (expert >= p.num_experts) return -1;
  const int64_t offset = position - begin_of(p.bins, expert);
  const int64_t row = first_row(p, expert) + offset;
  const bool fits = p.layout == kMegaBlocksBinned ? offset < p.num_rows : row < p.num_rows;
  return fits && offset >= 0 ? row : -1;
}

/// Writes a row times its weight, or zeros where `from` is null; the lanes of a warp call it.
template <typename Vector>
__device__ void move_row(const Vector* from, float weight, int64_t size, Vector* to) {
  for (int64_t begin = threadIdx.x % kWarp; begin < size; begin += kHeld * kWarp) {
    Vector held[kHeld] = {};
#pragma unroll
    for (int i = 0; i < kHeld; i++) {
      if (from != nullptr && begin + i * kWarp < size) held[i] = weight * from[begin + i * kWarp];
    }
#pragma unroll
    for (int i = 0; i < kHeld; i++) {
      if (begin + i * kWarp < size) to[begin + i * kWarp] = held[i];
    }
  }
}

template <typename Vector>
__global__ void gather_kernel(
    const Vector* x, const float* weights, MegaBlocksPermutation p, int64_t size, Vector* out) {
  for (int64_t row = warp_index(); row < routed_rows(p); row += num_warps()) {
    const int64_t copy = copy_of_row(p, row);
    const float weight = weights == nullptr || copy < 0 ? 1 : weights[copy];
    move_row(copy < 0 ? nullptr : x + copy / p.top_k * size, weight, size, out + row * size);
  }
}

/// Of top-1, where every copy is a token: the gather of the other direction.
template <typename Vector>
__global__ void scatter_single_kernel(
    const Vector* x, const float* weights, MegaBlocksPermutation p, int64_t size, Vector* out) {
  for (int64_t position = warp_index(); position < p.num_copies; position += num_warps()) {
    const int64_t copy = p.indices[position];
    if (copy < 0 || copy >= p.num_copies) continue;
    const int64_t row = row_of_position(p, position);
    const float weight = weights == nullptr ? 1 : weights[copy];
    move_row(row < 0 ? nullptr : x + row * size, weight, size, out + copy * size);
  }
}

/// rows [N], -1 at the start, receive the row of each copy.
__global__ void rows_of_copies_kernel(MegaBlocksPermutation p, int64_t* rows) {
  for (int64_t position = thread_index(); position < p.num_copies; position += num_threads()) {
    const int64_t copy = p.indices[position];
    if (copy >= 0 && copy < p.num_copies) rows[copy] = row_of_position(p, position);
  }
}

template <typename Vector>
__global__ void scatter_kernel(
    const Vector* x, const float* weights, MegaBlocksPermutation p, int64_t size, const int64_t* rows,
    Vector* out) {
  const int lane = threadIdx.x % kWarp;
  for (int64_t token = warp_index(); token < p.num_copies / p.top_k; token += num_warps()) {
    for (int64_t begin = lane; begin < size; begin += kHeld * kWarp) {
      Vector sums[kHeld] = {};
      for (int64_t copy = token * p.top_k; copy < (token + 1) * p.top_k; copy++) {
        const int64_t row = rows[copy];
        if (row < 0) continue;
        const float weight = weights == nullptr ? 1 : weights[copy];
        const Vector* from = x + row * size;
        Vector held[kHeld];
#pragma unroll
        for (int i = 0; i < kHeld; i++) {
          if (begin + i * kWarp < size) held[i] = from[begin + i * kWarp];
        }
#pragma unroll
        for (int i = 0; i < kHeld; i++) sums[i] = sums[i] + weight * held[i];
      }
#pragma unroll
      for (int i = 0; i < kHeld; i++) {
        if (begin + i * kWarp < size) out[token * size + begin + i * kWarp] = sums[i];
      }
    }
  }
}

template <typename Vector>
__global__ void scatter_weights_grad_kernel(
    const Vector* x, const Vector* dy, MegaBlocksPermutation p, int64_t size, float* out) {
  const int lane = threadIdx.x % kWarp;
  for (int64_t position = warp_index(); position < p.num_copies; position += num_warps()) {
    const int64_t copy = p.indices[position];
    const int64_t row = row_of_position(p, position);
    if (copy < 0 || copy >= p.num_copies || row < 0) continue;
    const Vector *a = x + row * size, *b = dy + copy / p.top_k * size;
    float sum = 0;
#pragma unroll 4
    for (int64_t i = lane; i < size; i += kWarp) sum += dot(a[i], b[i]);
    for (int step = kWarp / 2; step > 0; step /= 2) sum += __shfl_xor_sync(~0u, sum, step);
    if (lane == 0) out[copy] = sum;
  }
}

bool is_valid(const MegaBlocksPermutation& p) {
  return p.top_k >= 1 && p.num_rows >= 0 && p.num_copies >= 0 && p.num_copies % p.top_k == 0;
}

/// Calls `launch` with the widest vector that fits the rows, as a null pointer of its type.
template <typename Launch>
cudaError_t with_vector(int64_t hidden_size, bool aligned, Launch launch) {
  if (hidden_size % 4 == 0 && aligned) {
    launch(static_cast<float4*>(nullptr), hidden_size / 4);
  } else {
    launch(static_cast<float*>(nullptr), hidden_size);
  }
  return cudaGetLastError();
}

}  // namespace
}  // namespace megablocks

using namespace megablocks;

cudaError_t megablocks_gather(
    const float* x, const float* weights, MegaBlocksPermutation p, int64_t hidden_size, float* out,
    cudaStream_t stream) {
  if (!is_valid(p)) return cudaErrorInvalidValue;
  if (routed_rows(p) * hidden_size == 0) return cudaSuccess;
  return with_vector(hidden_size, is_aligned(x) && is_aligned(out), [&](auto* vector, int64_t size) {
    using Vector = std::remove_pointer_t<decltype(vector)>;
    gather_kernel<<<grid_for(routed_rows(p), kWarps), kWarps * kWarp, 0, stream>>>(
        reinterpret_cast<const Vector*>(x), weights, p, size, reinterpret_cast<Vector*>(out));
  });
}

size_t megablocks_scatter_workspace(int64_t num_copies) { return num_copies * sizeof(int64_t); }

cudaError_t megablocks_scatter(
    const float* x, const float* weights, MegaBlocksPermutation p, int64_t hidden_size, float* out,
    void* workspace, cudaStream_t stream) {
  if (!is_valid(p)) return cudaErrorInvalidValue;
  if (p.num_copies * hidden_size == 0) return cudaSuccess;
  constexpr int kThreads = kWarps * kWarp;
  if (p.top_k == 1) {
    return with_vector(hidden_size, is_aligned(x) && is_aligned(out), [&](auto* vector, int64_t size) {
      using Vector = std::remove_pointer_t<decltype(vector)>;
      scatter_single_kernel<<<grid_for(p.num_copies, kWarps), kThreads, 0, stream>>>(
          reinterpret_cast<const Vector*>(x), weights, p, size, reinterpret_cast<Vector*>(out));
    });
  }
  int64_t* rows = static_cast<int64_t*>(workspace);
  if (cudaError_t e = cudaMemsetAsync(rows, 0xff, p.num_copies * sizeof(int64_t), stream)) return e;
  rows_of_copies_kernel<<<grid_for(p.num_copies, kThreads), kThreads, 0, stream>>>(p, rows);
  return with_vector(hidden_size, is_aligned(x) && is_aligned(out), [&](auto* vector, int64_t size) {
    using Vector = std::remove_pointer_t<decltype(vector)>;
    scatter_kernel<<<grid_for(p.num_copies / p.top_k, kWarps), kThreads, 0, stream>>>(
        reinterpret_cast<const Vector*>(x), weights, p, size, rows, reinterpret_cast<Vector*>(out));
  });
}

cudaError_t megablocks_scatter_weights_grad(
    const float* x, const float* dy, MegaBlocksPermutation p, int64_t hidden_size, float* out,
    cudaStream_t stream) {
  if (!is_valid(p)) return cudaErrorInvalidValue;
  if (p.num_copies == 0) return cudaSuccess;
  // Copies that were dropped have no row.
  if (cudaError_t e = cudaMemsetAsync(out, 0, p.num_copies * sizeof(float), stream)) return e;
  if (hidden_size == 0) return cudaSuccess;
  return with_vector(hidden_size, is_aligned(x) && is_aligned(dy), [&](auto* vector, int64_t size) {
    using Vector = std::remove_pointer_t<decltype(vector)>;
    scatter_weights_grad_kernel<<<grid_for(p.num_copies, kWarps), kWarps * kWarp, 0, stream>>>(
        reinterpret_cast<const Vector*>(x), reinterpret_cast<const Vector*>(dy), p, size, out);
  });
}
