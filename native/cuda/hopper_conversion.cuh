// Operands rounded to bfloat16 in memory: before a product, and the rest of one beside it.
#pragma once

#include <cuda_bf16.h>

#include "common.cuh"

namespace megablocks {
namespace hopper {

/// Values, rounded to bfloat16.
__device__ inline uint32_t to_bfloat16(float low, float high) {
  const __nv_bfloat162 both = __floats2bfloat162_rn(low, high);
  return reinterpret_cast<const uint32_t&>(both);
}
__device__ inline uint2 to_bfloat16(float4 v) { return {to_bfloat16(v.x, v.y), to_bfloat16(v.z, v.w)}; }

/// Rounds the vectors from `begin` on, `held` a lane, as far as there are `size`; zeros where `from` is null. A
/// warp's lanes call it.
template <int held>
__device__ inline void convert_vectors(const float4* from, uint2* to, int64_t begin, int64_t size) {
  const int64_t first = begin + threadIdx.x % kWarp;
  float4 x[held];
#pragma unroll
  for (int i = 0; i < held; i++) {
    x[i] = from != nullptr && first + i * kWarp < size ? __ldcs(from + first + i * kWarp) : float4{};
  }
#pragma unroll
  for (int i = 0; i < held; i++) {
    if (first + i * kWarp < size) to[first + i * kWarp] = to_bfloat16(x[i]);
  }
}

/// An operand of a launch: a matrix [depth, height, width] in bfloat16, or float32 to be converted to it.
struct OperandSource {
  const float* from = nullptr;
  __nv_bfloat16* half = nullptr;
  int64_t width = 0, height = 0, depth = 1;
  /// Row i, of a matrix of depth 1, is row indices[i] / top_k of `from`, zero where that does not exist; null:
  /// row i.
  const int32_t* indices = nullptr;
  int top_k = 1;

  int64_t size() const { return width * height * depth; }
};

/// What is converted of an operand before the first of two launches, while the rest of it is beside this one: of each
/// of `rows` rows of `width` vectors of four, the first `unit`, or, where `count` is known on the device alone, so many
/// times as many.
struct Lead {
  int64_t rows = 0, width = 0, unit = 0;
  const int32_t* count = nullptr;
  __device__ int64_t size() const { return count == nullptr ? unit : min(unit * *count, width); }
};

/// All of an operand.
inline Lead whole(const OperandSource& x) {
  // Where rows stay where they are, all of it is one row.
  const int64_t rows = x.indices != nullptr ? x.height : 1, width = x.size() / rows / 4;
  return {rows, width, width};
}

/// A matrix of which a lead is converted, in units of as many vectors of a row as a warp converts at once.
struct Conversion {
  static constexpr int kHeld = 4, kUnit = kHeld * kWarp;
  const float4* from;
  uint2* to;
  const int32_t* indices;
  int top_k;
  Lead lead;

  Conversion(const OperandSource& x, const Lead& lead_)
      : from(reinterpret_cast<const float4*>(x.from)), to(reinterpret_cast<uint2*>(x.half)), indices(x.indices),
        top_k(x.top_k), lead(lead_) {
    if (from == nullptr) lead = {};
  }
  explicit Conversion(const OperandSource& x) : Conversion(x, whole(x)) {}

  /// About how many there are.
  int64_t units() const {
    const int64_t size = lead.count == nullptr ? lead.unit : ceil_divide<int64_t>(lead.width, 4);
    return lead.rows * ceil_divide<int64_t>(size, kUnit);
  }

  /// The warp's lanes call it, of a row of which `size` vectors are converted.
  __device__ void convert(int row, int unit, int64_t size) const {
    int64_t source = row;
    if (indices != nullptr) {
      const int copy = indices[row];
      source = copy >= 0 && copy < lead.rows ? copy / top_k : -1;
    }
    convert_vectors<kHeld>(source < 0 ? nullptr : from + source * lead.width, to + row * lead.width,
                           int64_t{unit} * kUnit, size);
  }
};

constexpr int kConvertThreads = 256;
/// Of so many threads, for both.
inline int blocks_to_convert(const Conversion& a, const Conversion& b) {
  const int64_t units = a.units() + b.units();
  return units == 0 ? 0 : static_cast<int>(grid_for(units, kConvertThreads / kWarp));
}

/// Converts what one of so many blocks has to of both.
__device__ inline void convert_share(const Conversion& a, const Conversion& b, int block, int num_blocks) {
  const auto units_a_row = [](int64_t size) { return static_cast<int>(ceil_divide<int64_t>(size, Conversion::kUnit)); };
  const int64_t a_size = a.lead.size(), b_size = b.lead.size();
  const int a_units = units_a_row(a_size), b_units = units_a_row(b_size);
  const int of_a = static_cast<int>(a.lead.rows) * a_units, of_b = static_cast<int>(b.lead.rows) * b_units;
  const int warps = static_cast<int>(blockDim.x / kWarp), first = block * warps + static_cast<int>(threadIdx.x / kWarp);
  for (int unit = first; unit < of_a + of_b; unit += num_blocks * warps) {
    if (unit < of_a) {
      a.convert(unit / a_units, unit % a_units, a_size);
    } else {
      b.convert((unit - of_a) / b_units, (unit - of_a) % b_units, b_size);
    }
  }
}

/// What is converted beside a product: what a lead leaves.
struct Strip {
  /// The warps of a block that convert are few: their lanes hold many vectors.
  static constexpr int kHeld = 8, kPart = kHeld * kWarp;
  const float4* from = nullptr;
  uint2* to = nullptr;
  Lead lead;

  Strip() = default;
  Strip(const float* x, __nv_bfloat16* half, const Lead& lead_)
      : from(reinterpret_cast<const float4*>(x)), to(reinterpret_cast<uint2*>(half)), lead(lead_) {}
  /// All of it.
  Strip(const float* x, __nv_bfloat16* half, int64_t size) : Strip(x, half, {1, size / 4, 0}) {}

  /// Converts the block's share, each part with the next warp that asks: `taken` counts those that are taken.
  __device__ void convert(int* taken) const {
    if (lead.rows == 0) return;
    const int64_t first = lead.size();
    const int parts = static_cast<int>(ceil_divide<int64_t>(lead.width - first, kPart));
    if (parts == 0) return;
    for (;;) {
      int part = 0;
      if (threadIdx.x % kWarp == 0) part = atomicAdd(taken, 1);
      part = __shfl_sync(~0u, part, 0) * gridDim.x + blockIdx.x;
      const int64_t row = part / parts;
      if (row >= lead.rows) return;
      const int64_t begin = first + int64_t{part % parts} * kPart;
      convert_vectors<kHeld>(from + row * lead.width, to + row * lead.width, begin, lead.width);
    }
  }
};

}  // namespace hopper
}  // namespace megablocks
