// The kernel that multiplies, for all products and precisions: float32 on the CUDA cores, TF32 and
// bfloat16 on tensor cores by mma.sync (Ampere and later). Operands are float32 in memory and are rounded
// on their way into shared memory, so any stride, transpose and size is the same to it.
#pragma once

#include <cuda_bf16.h>

#include "products.cuh"

namespace megablocks {

constexpr int kTileRows = 128;
constexpr int kTileColumns = 128;

/// What an element is rounded to in shared memory; kDepth, the part of the inner size that lies there at a
/// time, twice: one is multiplied, the other filled; kThreads, those of a block. Tensor cores take rows along
/// the inner size, [i][l]; the CUDA cores take vectors of both operands' rows, [l][i]. Lines of a panel are
/// padded so that neither the loads of what is multiplied nor the stores along the inner size meet in a bank.
template <int precision>
struct Element {
  using Type = float;
  static constexpr int kDepth = 32, kStride = kDepth + 4, kThreads = 256;
};
template <>
struct Element<kMegaBlocksFloat32> {
  using Type = float;
  static constexpr int kDepth = 16, kStride = kTileRows + 4, kThreads = 128;
};
template <>
struct Element<kMegaBlocksBfloat16> {
  using Type = __nv_bfloat16;
  static constexpr int kDepth = 32, kStride = kDepth + 8, kThreads = 256;
};

__device__ inline float round_to_tf32(float x) {
  uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return __uint_as_float(bits);
}

/// A panel of one operand: kTileRows (or columns) by kDepth. A thread holds some of its elements in
/// registers between the load from memory and the store to shared memory, which hides the former.
template <int precision>
struct Panel {
  using Type = typename Element<precision>::Type;
  static constexpr bool kDepthFirst = precision == kMegaBlocksFloat32;
  static constexpr int kDepth = Element<precision>::kDepth, kStride = Element<precision>::kStride;
  static constexpr int kSize = (kDepthFirst ? kDepth : kTileRows) * kStride;
  static constexpr int kThreads = Element<precision>::kThreads;
  static constexpr int kVectors = kTileRows * kDepth / kThreads / 4;
  static_assert(kVectors == 4 && kTileRows == kTileColumns, "the maps below are for these sizes");

  float4 held[kVectors];

  /// Which four elements of the panel the thread holds at `v`: from (i, l) on, along l where that is
  /// contiguous in memory, else along i. For tensor cores, neighbouring threads take neighbouring l in the
  /// second map, two of them each in turn, so that bfloat16 are stored in pairs.
  __device__ static void place(bool along_l, int v, int& i, int& l) {
    const int thread = threadIdx.x;
    const int vector = thread + v * kThreads;
    if (kDepthFirst && along_l) {
      i = vector % 16 + vector / 32 % 8 * 16;
      l = (vector / 16 % 2 + vector / 256 * 2) * 4;
    } else if (kDepthFirst) {
      i = vector % 32 * 4;
      l = vector / 32;
    } else if (along_l) {
      i = thread / 8 + 32 * v;
      l = thread % 8 * 4;
    } else {
      i = thread / 8 * 4;
      l = 2 * (thread % 8) + v % 2 + 16 * (v / 2);
    }
  }

  /// Loads the panel that begins at `depth`; elements beyond `size` or `length` are zero.
  __device__ void load(const Operand& x, int size, int depth, int length, bool aligned) {
    const bool along_l = x.stride_l == 1;
    if (aligned && size == kTileRows && depth + kDepth <= length) {
      // Nothing is missing.
#pragma unroll
      for (int v = 0; v < kVectors; v++) {
        int i, l;
        place(along_l, v, i, l);
        held[v] = *reinterpret_cast<const float4*>(x.data + i * x.stride_i + (l + depth) * x.stride_l);
      }
      return;
    }
#pragma unroll
    for (int v = 0; v < kVectors; v++) {
      int i, l;
      place(along_l, v, i, l);
      l += depth;
      held[v] = {};
      if (i >= size || l >= length) continue;
      const float* from = x.data + i * x.stride_i + l * x.stride_l;
      const int rest = along_l ? length - l : size - i;
      if (aligned && rest >= 4) {
        held[v] = *reinterpret_cast<const float4*>(from);
      } else {
        held[v].x = from[0];
        if (rest > 1) held[v].y = from[1];
        if (rest > 2) held[v].z = from[2];
        if (rest > 3) held[v].w = from[3];
      }
    }
  }

  /// Stores what was loaded.
  __device__ void store(bool along_l, Type* shared) const {
    if constexpr (kDepthFirst) {
#pragma unroll
      for (int v = 0; v < kVectors; v++) {
        int i, l;
        place(along_l, v, i, l);
        float* to = shared + l * kStride + i;
        if (along_l) {
          to[0] = held[v].x;
          to[kStride] = held[v].y;
          to[2 * kStride] = held[v].z;
          to[3 * kStride] = held[v].w;
        } else {
          *reinterpret_cast<float4*>(to) = held[v];
        }
      }
    } else if constexpr (precision == kMegaBlocksBfloat16) {
#pragma unroll
      for (int v = 0; v < kVectors; v++) {
        int i, l;
        place(along_l, v, i, l);
        if (along_l) {
          store_pair(shared + i * kStride + l, held[v].x, held[v].y);
          store_pair(shared + i * kStride + l + 2, held[v].z, held[v].w);
        } else if (v % 2 == 0) {
          store_pair(shared + i * kStride + l, held[v].x, held[v + 1].x);
          store_pair(shared + (i + 1) * kStride + l, held[v].y, held[v + 1].y);
          store_pair(shared + (i + 2) * kStride + l, held[v].z, held[v + 1].z);
          store_pair(shared + (i + 3) * kStride + l, held[v].w, held[v + 1].w);
        }
      }
    } else {
#pragma unroll
      for (int v = 0; v < kVectors; v++) {
        int i, l;
        place(along_l, v, i, l);
        const int step = along_l ? 1 : kStride;
        float* to = shared + i * kStride + l;
        to[0] = round_to_tf32(held[v].x);
        to[step] = round_to_tf32(held[v].y);
        to[2 * step] = round_to_tf32(held[v].z);
        to[3 * step] = round_to_tf32(held[v].w);
      }
    }
  }

 private:
  __device__ static void store_pair(__nv_bfloat16* to, float low, float high) {
    *reinterpret_cast<__nv_bfloat162*>(to) = __floats2bfloat162_rn(low, high);
  }
};

/// The sums of a thread, and how it adds the product of two panels to them.
template <int precision>
struct Sums;

/// On the CUDA cores: a warp computes 64 by 64, a thread of it 8 by 16, as parts of 4 by 4: with those of its
/// neighbours they make up whole vectors, 32 rows and 16 columns apart.
template <>
struct Sums<kMegaBlocksFloat32> {
  static constexpr int kDepth = Element<kMegaBlocksFloat32>::kDepth, kStride = Element<kMegaBlocksFloat32>::kStride;

  float sums[8][16] = {};

  __device__ static int first_row(int part) { return threadIdx.x / 64 * 64 + part * 32 + threadIdx.x % 32 / 4 * 4; }
  __device__ static int first_column(int part) { return threadIdx.x / 32 % 2 * 64 + part * 16 + threadIdx.x % 4 * 4; }

  __device__ void add(const float* a, const float* b) {
    // While one l is multiplied, the next is loaded.
    float x[2][8], y[2][16];
    const auto load_next = [&](int l) {
#pragma unroll
      for (int part = 0; part < 2; part++) load(a + l * kStride + first_row(part), x[l % 2] + part * 4);
#pragma unroll
      for (int part = 0; part < 4; part++) load(b + l * kStride + first_column(part), y[l % 2] + part * 4);
    };
    load_next(0);
    // No more of it at once: instructions have a cache, too.
#pragma unroll 2
    for (int l = 0; l < kDepth; l++) {
      if (l + 1 < kDepth) load_next(l + 1);
#pragma unroll
      for (int i = 0; i < 8; i++) {
#pragma unroll
        for (int j = 0; j < 16; j++) sums[i][j] = fmaf(x[l % 2][i], y[l % 2][j], sums[i][j]);
      }
    }
  }

  __device__ void store(const Tile& t) const {
#pragma unroll
    for (int i = 0; i < 8; i++) {
      const int row = first_row(i / 4) + i % 4;
      if (row >= t.rows) continue;
#pragma unroll
      for (int part = 0; part < 4; part++) {
        const int column = first_column(part);
        float* const to = t.c + row * t.c_stride + column;
        const float* const from = sums[i] + part * 4;
        if (column + 4 <= t.columns && reinterpret_cast<uintptr_t>(to) % 16 == 0) {
          *reinterpret_cast<float4*>(to) = {from[0], from[1], from[2], from[3]};
        } else {
#pragma unroll
          for (int j = 0; j < 4; j++) {
            if (column + j < t.columns) to[j] = from[j];
          }
        }
      }
    }
  }

 private:
  __device__ static void load(const float* from, float* to) {
    *reinterpret_cast<float4*>(to) = *reinterpret_cast<const float4*>(from);
  }
};

__device__ inline void mma(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], float) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
__device__ inline void mma(
    float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], __nv_bfloat16) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/// On tensor cores: a warp computes 64 by 32, as 4 by 4 products of 16 by 8. A register of a fragment is
/// 32 bits: one TF32 or two bfloat16, so both have the same map.
template <int precision>
struct Sums {
  using Type = typename Element<precision>::Type;
  static constexpr int kDepth = Element<precision>::kDepth, kStride = Element<precision>::kStride;
  /// Elements in a register, and in the depth of one mma.
  static constexpr int kPacked = 4 / sizeof(Type);
  static constexpr int kMmaDepth = 8 * kPacked;

  float sums[4][4][4] = {};

  __device__ static int warp_row() { return threadIdx.x / 32 % 2 * 64; }
  __device__ static int warp_column() { return threadIdx.x / 64 * 32; }
  __device__ static int group() { return threadIdx.x % 32 / 4; }
  __device__ static int member() { return threadIdx.x % 4; }

  __device__ void add(const Type* a, const Type* b) {
    const Type* left = a + (warp_row() + group()) * kStride + member() * kPacked;
    const Type* right = b + (warp_column() + group()) * kStride + member() * kPacked;
#pragma unroll
    for (int l = 0; l < kDepth; l += kMmaDepth) {
      uint32_t x[4][4], y[4][2];
#pragma unroll
      for (int i = 0; i < 4; i++) {
        const Type* from = left + i * 16 * kStride + l;
        x[i][0] = bits(from);
        x[i][1] = bits(from + 8 * kStride);
        x[i][2] = bits(from + kMmaDepth / 2);
        x[i][3] = bits(from + 8 * kStride + kMmaDepth / 2);
        y[i][0] = bits(right + i * 8 * kStride + l);
        y[i][1] = bits(right + i * 8 * kStride + l + kMmaDepth / 2);
      }
#pragma unroll
      for (int i = 0; i < 4; i++) {
#pragma unroll
        for (int j = 0; j < 4; j++) mma(sums[i][j], x[i], y[j], Type());
      }
    }
  }

  __device__ void store(const Tile& t) const {
#pragma unroll
    for (int i = 0; i < 4; i++) {
#pragma unroll
      for (int half = 0; half < 2; half++) {
        const int row = warp_row() + i * 16 + group() + half * 8;
        if (row >= t.rows) continue;
#pragma unroll
        for (int j = 0; j < 4; j++) {
          const int column = warp_column() + j * 8 + member() * 2;
          float* to = t.c + row * t.c_stride + column;
          if (column < t.columns) to[0] = sums[i][j][2 * half];
          if (column + 1 < t.columns) to[1] = sums[i][j][2 * half + 1];
        }
      }
    }
  }

 private:
  __device__ static uint32_t bits(const Type* from) { return *reinterpret_cast<const uint32_t*>(from); }
};

/// One block a tile of the result. `aligned`: every contiguous run of four begins on 16 bytes.
template <int precision, typename Product>
__global__ void __launch_bounds__(Element<precision>::kThreads, precision == kMegaBlocksFloat32 ? 2 : 1)
    multiply_kernel(const __grid_constant__ Product product, bool aligned) {
  using Type = typename Element<precision>::Type;
  using SharedPanel = Panel<precision>;
  extern __shared__ __align__(16) unsigned char memory[];
  Type* panels = reinterpret_cast<Type*>(memory);
  const auto left = [&](int step) { return panels + step % 2 * 2 * SharedPanel::kSize; };
  const auto right = [&](int step) { return left(step) + SharedPanel::kSize; };

  const Tile tile = product.template tile<kTileRows, kTileColumns>(blockIdx.x, blockIdx.y);
  if (tile.rows <= 0 || tile.columns <= 0) return;
  Sums<precision> sums;
  SharedPanel a, b;

  // The steps of all segments, one after the other.
  int64_t next_segment = 0;
  Segment segment;
  int depth = 0;
  bool a_along_l = false, b_along_l = false;
  segment.length = 0;
  const auto load_next = [&]() {
    while (depth >= segment.length) {
      if (next_segment >= tile.count) return false;
      if (!product.segment(tile, next_segment++, segment)) segment.length = 0;
      depth = 0;
    }
    a_along_l = segment.a.stride_l == 1;
    b_along_l = segment.b.stride_l == 1;
    a.load(segment.a, tile.rows, depth, segment.length, aligned);
    b.load(segment.b, tile.columns, depth, segment.length, aligned);
    depth += SharedPanel::kDepth;
    return true;
  };

  bool more = load_next();
  for (int step = 0; more; step++) {
    a.store(a_along_l, left(step));
    b.store(b_along_l, right(step));
    __syncthreads();
    more = load_next();
    sums.add(left(step), right(step));
    // The panels of the next step are the other two, which all have read before this barrier's last.
  }
  sums.store(tile);
}

/// Multiplies; false where the sizes are more than a grid holds.
template <int precision, typename Product>
cudaError_t multiply(const Product& product, bool aligned, cudaStream_t stream) {
  const int64_t rows = product.row_tiles(kTileRows), columns = product.column_tiles(kTileColumns);
  if (rows == 0 || columns == 0) return cudaSuccess;
  if (rows > INT32_MAX || columns > 65535) return cudaErrorInvalidValue;
  constexpr int kBytes = 4 * Panel<precision>::kSize * sizeof(typename Element<precision>::Type);
  const auto kernel = multiply_kernel<precision, Product>;
  if (cudaError_t e =
          cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kBytes)) {
    return e;
  }
  kernel<<<dim3(rows, columns), Element<precision>::kThreads, kBytes, stream>>>(product, aligned);
  return cudaGetLastError();
}

/// As above, by the precision that was asked for.
template <typename Product>
cudaError_t multiply(int precision, const Product& product, bool aligned, cudaStream_t stream) {
  switch (precision) {
    case kMegaBlocksFloat32:
      return multiply<kMegaBlocksFloat32>(product, aligned, stream);
    case kMegaBlocksTf32:
      return multiply<kMegaBlocksTf32>(product, aligned, stream);
    case kMegaBlocksBfloat16:
      return multiply<kMegaBlocksBfloat16>(product, aligned, stream);
    default:
      return cudaErrorInvalidValue;
  }
}

/// Whether runs of four along a contiguous axis of this size begin on 16 bytes.
inline bool is_aligned(const void* pointer, int64_t size) {
  return is_aligned(pointer) && size % 4 == 0;
}

}  // namespace megablocks
