// Grouped products in TF32 on Hopper, of float32 operands as they lie in memory: the TMA rounds what it loads. Of
// TF32, wgmma wants its right operand K-major; the left one may lie otherwise, as it can go through registers.
// So where b does, the transpose of the product is computed, and where both do, one of them is transposed first. Where
// neither does, there is a choice.
#include "hopper_grouped.cuh"

namespace megablocks {
namespace hopper {
namespace {

constexpr int kTransposeTile = 64;
constexpr int kTransposeThreads = 256;

/// Rows of the transpose must be whole vectors of four.
int64_t transposed_stride(int64_t rows) { return ceil_divide<int64_t>(rows, 4) * 4; }

/// x [rows, width] -> [width, stride], width a multiple of four: a tile a block.
__global__ void __launch_bounds__(kTransposeThreads)
    transpose_kernel(const float* x, int64_t rows, int64_t width, int64_t stride, float* out) {
  constexpr int kVectors = kTransposeTile / 4, kPitch = kTransposeTile + 4;
  __shared__ __align__(16) float tile[kTransposeTile * kPitch];
  const int64_t first_row = int64_t{blockIdx.x} * kTransposeTile, first_column = int64_t{blockIdx.y} * kTransposeTile;
  // Lanes read four vectors of eight rows each: more would meet in a bank.
#pragma unroll
  for (int i = threadIdx.x; i < kTransposeTile * kVectors; i += kTransposeThreads) {
    const int row = i / 4 % kTransposeTile, column = (i % 4 + i / (4 * kTransposeTile) * 4) * 4;
    float4 v{};
    if (first_row + row < rows && first_column + column < width) {
      v = __ldcs(reinterpret_cast<const float4*>(x + (first_row + row) * width + first_column + column));
    }
    float* const to = tile + column * kPitch + row;
    to[0] = v.x;
    to[kPitch] = v.y;
    to[2 * kPitch] = v.z;
    to[3 * kPitch] = v.w;
  }
  __syncthreads();
#pragma unroll
  for (int i = threadIdx.x; i < kTransposeTile * kVectors; i += kTransposeThreads) {
    const int column = i / kVectors, row = i % kVectors * 4;
    if (first_column + column < width && first_row + row < stride) {
      *reinterpret_cast<float4*>(out + (first_column + column) * stride + first_row + row) =
          *reinterpret_cast<const float4*>(tile + column * kPitch + row);
    }
  }
}

/// The matrix [width, rows], in `memory`.
cudaError_t transpose(
    const float* x, int64_t rows, int64_t width, float* memory, Matrix<float>& out, cudaStream_t stream) {
  out = {memory, rows, width, 1, transposed_stride(rows)};
  const dim3 tiles(static_cast<unsigned>(ceil_divide<int64_t>(rows, kTransposeTile)),
                   static_cast<unsigned>(ceil_divide<int64_t>(width, kTransposeTile)));
  if (tiles.y > 65535) return cudaErrorInvalidValue;
  transpose_kernel<<<tiles, kTransposeThreads, 0, stream>>>(x, rows, width, out.stride, memory);
  return cudaGetLastError();
}

template <bool transpose_a, bool transpose_b, bool swapped, Share share>
cudaError_t multiply_sharing(const GroupedCall& c, const Matrix<float>& left, const Matrix<float>& right) {
  const Grouped<transpose_a, transpose_b, share, PlainOutput, float, swapped> family{
      c.bins, c.rows, static_cast<int>(c.k), static_cast<int>(c.n), c.num_experts, {c.out, c.n}};
  return launch(left, right, family, c.stream);
}

template <bool transpose_a, bool transpose_b, bool swapped>
cudaError_t multiply(const GroupedCall& c, const Matrix<float>& left, const Matrix<float>& right) {
  return shares_b(c.rows, c.k, c.n, c.num_experts, transpose_a, swapped)
             ? multiply_sharing<transpose_a, transpose_b, swapped, kShareB>(c, left, right)
             : multiply_sharing<transpose_a, transpose_b, swapped, kShareA>(c, left, right);
}

}  // namespace
}  // namespace hopper

using namespace hopper;

size_t hopper_grouped_tf32_workspace(int64_t rows, int64_t k, int64_t n, bool transpose_a) {
  return transpose_a ? (k < n ? k : n) * transposed_stride(rows) * sizeof(float) : 0;
}

cudaError_t hopper_grouped_mat_mul_tf32(
    const float* a, const float* b, const int32_t* bins, int64_t rows, int64_t k, int64_t n,
    int num_experts, bool transpose_a, bool transpose_b, float* out, void* workspace,
    cudaStream_t stream) {
  const GroupedCall call{bins, rows, k, n, num_experts, out, stream};
  const Matrix<float> left{a, k, rows, 1, k};
  if (!transpose_a) {
    if (!transpose_b) return multiply<false, false, true>(call, {b, n, k, num_experts, n}, left);
    const Matrix<float> matrices{b, k, n, num_experts, k};
    // Of an expert's few rows, the last tile wastes less as columns, which are computed 64 at a time; of many, tiles
    // whose rows they are need no other order to be stored. On an H100 both take as long at about so many.
    constexpr int64_t kFewRows = 1024;
    return rows < kFewRows * num_experts ? multiply<false, true, true>(call, matrices, left)
                                         : multiply<false, true, false>(call, left, matrices);
  }
  // The smaller one is transposed.
  float* const memory = static_cast<float*>(workspace);
  Matrix<float> transposed;
  const Matrix<float> right{b, n, rows, 1, n};
  if (k < n) {
    if (cudaError_t e = transpose(a, rows, k, memory, transposed, stream)) return e;
    return multiply<true, false, true>(call, right, transposed);
  }
  if (cudaError_t e = transpose(b, rows, n, memory, transposed, stream)) return e;
  return multiply<true, false, false>(call, left, transposed);
}

}  // namespace megablocks
