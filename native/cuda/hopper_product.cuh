// The kernel that multiplies in bfloat16 and TF32 on Hopper, by TMA and wgmma, for all families of products.
//
// A block of three warpgroups stays on its multiprocessor and goes from tile to tile. One thread of the first
// warpgroup loads; the other two warpgroups multiply, 64 rows each. They meet in a ring of stages in shared
// memory. Two blocks are a cluster and load what both need once. The first warpgroup's other warps may convert an
// operand of a later product meanwhile: the one waits for the memory, the other for multiplications.
#pragma once

#include <cuda_bf16.h>

#include "common.cuh"
#include "wgmma.cuh"

namespace megablocks {
namespace hopper {

constexpr int kTileRows = 128;
constexpr int kTileColumns = 256;
constexpr int kHalfColumns = kTileColumns / 2;
constexpr int kRowBytes = 128;  // Of a stage: the widest row that is swizzled.
constexpr int kStages = 4;
constexpr int kThreads = 384;
constexpr int kWarpgroup = 128;
constexpr int kMultiplyingWarps = 2 * kWarpgroup / kWarp;
constexpr int kCluster = 2;

constexpr int kBoxBytes = 64 * kRowBytes;  // Of 64 rows or columns of a tile.
constexpr int kABytes = kTileRows * kRowBytes;
constexpr int kBBytes = kTileColumns * kRowBytes;
constexpr int kStageBytes = kABytes + kBBytes;
/// What half a transposed tile goes through at once: columns of 64 rows.
constexpr int kTransposedColumns = 64;
constexpr int kTransposedBytes = 64 * sizeof(float);  // Of a column.
/// With what it takes to begin on the 1024 bytes that swizzling demands.
constexpr int kSharedBytes =
    1024 + kStages * kStageBytes + 2 * kTransposedColumns * kTransposedBytes + 2 * kStages * 8 + 8;

/// The elements of a row: the depth of a stage along the inner size.
template <typename Element>
constexpr int kDepthOf = kRowBytes / sizeof(Element);

/// Four values, rounded to bfloat16.
__device__ inline uint2 to_bfloat16(float4 v) {
  const __nv_bfloat162 low = __floats2bfloat162_rn(v.x, v.y), high = __floats2bfloat162_rn(v.z, v.w);
  return {reinterpret_cast<const uint32_t&>(low), reinterpret_cast<const uint32_t&>(high)};
}

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

/// What is converted beside a product: memory in a row.
struct Strip {
  /// The warps of a block that convert are few: their lanes hold many vectors.
  static constexpr int kHeld = 8;
  const float4* from = nullptr;
  uint2* to = nullptr;
  int64_t vectors = 0;

  /// Converts the block's share, each part with the next warp that asks: `taken` counts those that are taken.
  __device__ void convert(int* taken) const {
    for (;;) {
      int part = 0;
      if (threadIdx.x % kWarp == 0) part = atomicAdd(taken, 1);
      part = __shfl_sync(~0u, part, 0) * gridDim.x + blockIdx.x;
      const int64_t begin = int64_t{part} * (kHeld * kWarp);
      if (begin >= vectors) return;
      convert_vectors<kHeld>(from, to, begin, vectors);
    }
  }
};

/// The vectors of a row that a lane has.
constexpr int kLaneVectors = kTileColumns / 16;

/// A line of a result that loads nothing.
struct LoadsNothing {
  __device__ void load(int) {}
};

/// One tile, as all warpgroups see it.
struct Work {
  /// Steps of a stage's depth along the inner size; from where on the first, and up to where the last is to be
  /// multiplied, where what lies beyond is not zero.
  int steps, head, tail;
  /// Rows and columns that exist, 0 or less: none.
  int rows, columns;
  /// Whether the cluster's blocks need the same of what they are to share.
  bool shared;
  /// Where the tile lies in the result; what more a family needs to find the operands, of this block and of the
  /// other one of the cluster.
  int64_t row;
  int column;
  int64_t group, begin;
  int end, other_begin, other_end;
  /// Of block-sparse operands: the blocks and where they lie, as found in the index for this step, and as read from
  /// it for a later one.
  struct Found {
    int block[2], inner[2];
  } found, ahead;
};

/// Where a box of an operand begins: along the inner size, along the other, and in which matrix.
struct Place {
  int64_t inner, outer;
  int matrix;
};
/// One of two, in registers.
__device__ inline Place choose(bool first, const Place& a, const Place& b) {
  return {first ? a.inner : b.inner, first ? a.outer : b.outer, first ? a.matrix : b.matrix};
}

/// Where a step's boxes begin: of a, and of the halves of b; and whether what the cluster is to share is the same
/// for both blocks this time, which then have as many columns.
struct Places {
  Place a, b[2];
  bool shared = true;
};

/// Which operand the blocks of a cluster share: their tiles are neighbours in a row, or in a column.
enum Share { kShareA, kShareB };

/// The place in the ring: a stage, and the parity of the pass over the ring.
struct Ring {
  int stage = 0;
  uint32_t parity = 0;
  __device__ void advance() {
    if (++stage == kStages) {
      stage = 0;
      parity ^= 1;
    }
  }
};

/// Sets rows [first, 64) of a box of 64 rows to zero; all threads of a warpgroup call it.
__device__ inline void zero_rows(unsigned char* box, int first) {
  for (int i = threadIdx.x % kWarpgroup; i < (64 - first) * 8; i += kWarpgroup) {
    reinterpret_cast<uint4*>(box)[first * 8 + i] = uint4{};
  }
}

// ---- TF32 that is not K-major, which wgmma does not take from shared memory: it goes through registers.

template <typename Family>
constexpr bool kAInRegisters = std::is_same<typename Family::Element, float>::value && Family::kAMnMajor;

/// The first of the two rows, of 64, that a lane holds. A box has eight vectors of four rows; which of them
/// lanes read together is such that they meet in no bank.
__device__ inline int held_row(int warp, int lane) {
  const int i = lane / 4, vector = warp % 2 * 2 + i / 4 + i / 2 % 2 * 4;
  return warp / 2 * 32 + vector * 4 + i % 2 * 2;
}

/// What a stage has of 64 rows, for one product after the other.
struct HeldRows {
  static constexpr int kProducts = kRowBytes / kMultiplyBytes;
  uint32_t x[kProducts][4];

  __device__ void load(const unsigned char* a) {
    const int lane = threadIdx.x % kWarp, row = held_row(threadIdx.x % kWarpgroup / kWarp, lane);
    const int first = lane % 4, vector = row % 32 / 4;
    const unsigned char* const box = a + row / 32 * (kDepthOf<float> * kRowBytes) + first * kRowBytes + row % 4 * 4;
    each_pair([&](int inner, uint32_t& low, uint32_t& high) {
      const uint2 two = *reinterpret_cast<const uint2*>(box + inner * kRowBytes + (vector ^ first ^ inner % 8) * 16);
      low = two.x;
      high = two.y;
    });
  }
  /// Sets what is not in [begin, end) along the inner size to zero.
  __device__ void clear_outside(int begin, int end) {
    each_pair([&](int inner, uint32_t& low, uint32_t& high) {
      const int place = inner + threadIdx.x % 4;
      if (place < begin || place >= end) low = high = 0;
    });
  }

 private:
  /// The two rows at every fourth place of the inner size.
  template <typename F>
  __device__ void each_pair(F f) {
#pragma unroll
    for (int i = 0; i < kProducts; i++) {
      f(i * 8, x[i][0], x[i][1]);
      f(i * 8 + 4, x[i][2], x[i][3]);
    }
  }
};

/// Sets what is not in [begin, end) along the inner size to zero, K-major; all threads of a warpgroup call it.
__device__ inline void clear_outside(unsigned char* rows, int count, int begin, int end) {
  constexpr int kVectors = kRowBytes / 16;
  for (int i = threadIdx.x % kWarpgroup; i < count * kVectors; i += kWarpgroup) {
    // Only zeros are written: the other half of the warps does the same.
    const int row = i / kVectors, first = (i % kVectors ^ row % 8) * 4;
    float* const to = reinterpret_cast<float*>(rows) + i * 4;
    if (first + 4 <= begin || first >= end) {
      *reinterpret_cast<float4*>(to) = {};
    } else {
#pragma unroll
      for (int j = 0; j < 4; j++) {
        if (first + j < begin || first + j >= end) to[j] = 0;
      }
    }
  }
}

/// The ring, as half of the warps that multiply see it.
struct Stages {
  unsigned char* memory;
  uint64_t *full, *empty;
  int half;
  Ring ring;

  __device__ unsigned char* a() const { return memory + ring.stage * kStageBytes + half * kBoxBytes; }
  __device__ unsigned char* b() const { return memory + ring.stage * kStageBytes + kABytes; }
  __device__ void wait() const { megablocks::wait(&full[ring.stage], ring.parity); }
  /// All blocks of the cluster may load into it again.
  __device__ void release(int stage) const {
    const int lane = threadIdx.x % kWarp;
    if (lane < kCluster) arrive_in_cluster(&empty[stage], lane);
  }
};

/// Multiplies half a tile, of whose columns `columns` are computed, with a in registers.
template <int columns>
__device__ void multiply_held_rows(Stages& stages, const Work& work, float (&sums)[128]) {
  HeldRows even, odd;
  const auto multiply = [&](HeldRows& held, HeldRows& next, int step) {
    const int begin = step == 0 ? work.head : 0, end = step == work.steps - 1 ? work.tail : kDepthOf<float>;
    unsigned char* const b = stages.b();
    if (begin > 0 || end < kDepthOf<float>) {
      held.clear_outside(begin, end);
      clear_outside(b, kTileColumns, begin, end);
      fence_shared_for_wgmma();
      wait_for_warpgroup(1 + stages.half);
    }
    fence_wgmma();
#pragma unroll
    for (int i = 0; i < HeldRows::kProducts; i++) {
      multiply_held<columns>(
          sums, held.x[i], operand_descriptor(b + i * kMultiplyBytes, kBoxBytes), step > 0 || i > 0);
    }
    commit_wgmma();
    // Meanwhile the next rows; the last time again what is there, so that nothing branches.
    const int stage = stages.ring.stage;
    Ring following = stages.ring;
    following.advance();
    if (step + 1 < work.steps) stages.ring = following;
    stages.wait();
    next.load(stages.a());
    wait_for_wgmma<0>();
    stages.release(stage);
  };
  if (work.steps == 0) return;
  stages.wait();
  even.load(stages.a());
  int step = 0;
  for (; step + 1 < work.steps; step += 2) {
    multiply(even, odd, step);
    multiply(odd, even, step + 1);
  }
  if (step < work.steps) multiply(even, odd, step);
  stages.ring.advance();
}

/// Multiplies half a tile.
template <typename Family>
__device__ void multiply_rows(Stages& stages, const Work& work, float (&sums)[128]) {
  using Element = typename Family::Element;
  constexpr bool a_mn_major = Family::kAMnMajor, b_mn_major = Family::kBMnMajor;
  int previous = -1;
  for (int step = 0; step < work.steps; step++) {
    stages.wait();
    unsigned char *const a = stages.a(), *const b = stages.b();
    if (a_mn_major && b_mn_major && step == work.steps - 1 && work.tail < kDepthOf<Element>) {
      // The rows beyond are the next group's.
      zero_rows(a, work.tail);
      for (int i = 0; i < kTileColumns / 64; i++) zero_rows(b + i * kBoxBytes, work.tail);
      fence_shared_for_wgmma();
      wait_for_warpgroup(1 + stages.half);
    }
    fence_wgmma();
#pragma unroll
    for (int i = 0; i < kRowBytes / kMultiplyBytes; i++) {
      // Further along the inner size: so many bytes of a row, or rows of so many elements.
      constexpr int kMnMajorBytes = kMultiplyBytes / sizeof(Element) * kRowBytes;
      const int a_offset = i * (a_mn_major ? kMnMajorBytes : kMultiplyBytes);
      const int b_offset = i * (b_mn_major ? kMnMajorBytes : kMultiplyBytes);
      multiply_64x256<Element, a_mn_major, b_mn_major>(
          sums, operand_descriptor(a + a_offset, kBoxBytes), operand_descriptor(b + b_offset, kBoxBytes),
          step > 0 || i > 0);
    }
    commit_wgmma();
    // The stage before has been read when only this one is still multiplied.
    wait_for_wgmma<1>();
    if (previous >= 0) stages.release(previous);
    previous = stages.ring.stage;
    stages.ring.advance();
  }
  wait_for_wgmma<0>();
  if (previous >= 0) stages.release(previous);
}

/// Stores half a tile.
template <typename Family>
__device__ void store_rows(const Family& family, const Work& work, int half, const float (&sums)[128]) {
  const int warp = threadIdx.x % kWarpgroup / kWarp, lane = threadIdx.x % kWarp;
#pragma unroll
  for (int part = 0; part < 2; part++) {
    const int row = half * 64 + (kAInRegisters<Family> ? held_row(warp, lane) + part : warp * 16 + part * 8 + lane / 4);
    const bool exists = row < work.rows;
    const bool odd = lane % 2 != 0;
    const auto column_of = [&](int j) { return j * 16 + odd * 8 + lane % 4 / 2 * 4; };
    auto line = family.line(work, row, exists);
    line.load(exists ? work.columns : 0);
#pragma unroll
    for (int j = 0; j < kLaneVectors; j++) {
      // Lanes in pairs exchange halves of two runs of eight columns, so that each holds four in a row.
      const float2 low{sums[j * 8 + part * 2], sums[j * 8 + part * 2 + 1]};
      const float2 high{sums[j * 8 + 4 + part * 2], sums[j * 8 + 4 + part * 2 + 1]};
      const float2 given = odd ? low : high;
      const float2 got{__shfl_xor_sync(~0u, given.x, 1), __shfl_xor_sync(~0u, given.y, 1)};
      const float4 v = odd ? float4{got.x, got.y, high.x, high.y} : float4{low.x, low.y, got.x, got.y};
      const int column = column_of(j);
      line.store(j, column, v, exists && column < work.columns);
    }
    line.finish(work, row, exists);
  }
}

/// Stores half a tile whose rows are columns of the result: by way of shared memory, so that rows of the result are
/// whole lines of memory; all threads of a warpgroup call it.
template <typename Family>
__device__ void store_transposed(
    const Family& family, const Work& work, int half, const float (&sums)[128], unsigned char* shared) {
  const int thread = threadIdx.x % kWarpgroup, lane = thread % kWarp;
  const bool odd = lane / 4 % 2 != 0;
  const int row = held_row(thread / kWarp, lane) - odd * 2;
  // Vectors of four rows of a column, the eight columns' that a quarter of a warp has in different banks.
  const auto vector = [&](int column, int i) {
    return reinterpret_cast<float4*>(shared + column * kTransposedBytes) + (i ^ column % 8);
  };
#pragma unroll
  for (int first = 0; first < kTileColumns; first += kTransposedColumns) {
    if (first >= work.columns) continue;
    wait_for_warpgroup(1 + half);
#pragma unroll
    for (int i = 0; i < kTransposedColumns / 8; i++) {
      // Lanes in pairs exchange one of their two columns, so that each holds four rows of the other.
      const int j = first / 8 + i;
      const float2 left{sums[j * 4], sums[j * 4 + 2]}, right{sums[j * 4 + 1], sums[j * 4 + 3]};
      const float2 given = odd ? left : right;
      const float2 got{__shfl_xor_sync(~0u, given.x, 4), __shfl_xor_sync(~0u, given.y, 4)};
      *vector(i * 8 + lane % 4 * 2 + odd, row / 4) =
          odd ? float4{got.x, got.y, right.x, right.y} : float4{left.x, left.y, got.x, got.y};
    }
    wait_for_warpgroup(1 + half);
    // A thread has the same rows of every eighth column.
    constexpr int kVectors = kTransposedColumns * 16 / kWarpgroup;
    const int to_row = half * 64 + thread % 16 * 4;
    float4 held[kVectors];
#pragma unroll
    for (int i = 0; i < kVectors; i++) held[i] = *vector(i * 8 + thread / 16, thread % 16);
#pragma unroll
    for (int i = 0; i < kVectors; i++) {
      const int column = first + i * 8 + thread / 16;
      if (to_row < work.rows && column < work.columns) family.store(work, column, to_row, held[i]);
    }
  }
}

/// Loads `count` times 64 along the outer size from a place on: K-major, one box; else boxes as wide as a row.
template <typename Element, bool mn_major, int count>
__device__ void load_boxes(
    unsigned char* to, const CUtensorMap* map, uint64_t* barrier, const Place& p, uint16_t mask) {
  const int inner = static_cast<int>(p.inner), outer = static_cast<int>(p.outer);
  constexpr int kWidth = kDepthOf<Element>;
#pragma unroll
  for (int i = 0; i < (mn_major ? count * 64 / kWidth : 1); i++) {
    const int x = mn_major ? outer + i * kWidth : inner, y = mn_major ? inner : outer;
    if (mask == 0) {
      load_box(to + i * kWidth * kRowBytes, map, barrier, x, y, p.matrix);
    } else {
      load_box_to_cluster(to + i * kWidth * kRowBytes, map, barrier, x, y, p.matrix, mask);
    }
  }
}

/// Family: what a launch is made of. It has Element, the type of the operands (float is multiplied in TF32);
/// kAMnMajor, kBMnMajor, kShare; kTransposed, whether a tile's rows are columns of the result, for which it
/// stores vectors of four rows itself; a type Schedule made of the family, the cluster's index, their number and
/// the block's rank, that gives one Work after the other; the places of a step, asked for one after the other; the line of the result that
/// receives a row in vectors of four, the j-th at a column, and may load what belongs to them before; and what
/// is left to do for all blocks when the tiles are done. `aside` is converted meanwhile.
template <typename Family>
__global__ void __launch_bounds__(kThreads, 1)
    hopper_product_kernel(const __grid_constant__ CUtensorMap a_map,
                          const __grid_constant__ CUtensorMap b_map,
                          const __grid_constant__ Family family,
                          const __grid_constant__ Strip aside) {
// Other GPUs never launch it, and the host must see that it uses what is above.
#if defined(__CUDA_ARCH_FEAT_SM90_ALL) || !defined(__CUDA_ARCH__)
  using Element = typename Family::Element;
  constexpr bool a_mn_major = Family::kAMnMajor, b_mn_major = Family::kBMnMajor;
  extern __shared__ unsigned char memory[];
  unsigned char* const stages = memory + (1024 - shared_address(memory) % 1024) % 1024;
  unsigned char* const transposed = stages + kStages * kStageBytes;
  uint64_t* const full = reinterpret_cast<uint64_t*>(transposed + 2 * kTransposedColumns * kTransposedBytes);
  uint64_t* const empty = full + kStages;
  int* const taken = reinterpret_cast<int*>(empty + kStages);
  if (threadIdx.x == 0) {
    *taken = 0;
    for (int i = 0; i < kStages; i++) {
      init_barrier(&full[i], 1);
      init_barrier(&empty[i], kCluster * kMultiplyingWarps);
    }
    fence_barriers();
    prefetch_map(&a_map);
    prefetch_map(&b_map);
  }
  wait_for_cluster();

  const int warpgroup = threadIdx.x / kWarpgroup;
  const int rank = cluster_rank();
  typename Family::Schedule schedule(family, blockIdx.x / kCluster, gridDim.x / kCluster, rank);
  Work work;

  if (warpgroup == 0) {
    give_registers<56>();
    if (threadIdx.x == 0) {
      Ring ring;
      while (schedule.next(work)) {
        for (int step = 0; step < work.steps; step++, ring.advance()) {
          const Places p = family.places(work, step);
          wait(&empty[ring.stage], ring.parity ^ 1);
          constexpr uint16_t kAll = (1 << kCluster) - 1;
          unsigned char* a = stages + ring.stage * kStageBytes;
          unsigned char* b = a + kABytes;
          uint64_t* barrier = &full[ring.stage];
          // A tile of half the columns, or fewer, takes half of b.
          const bool wide = work.columns > kHalfColumns;
          arrive_expecting(barrier, wide ? kStageBytes : kStageBytes - kBBytes / 2);
          const Place second{p.a.inner, p.a.outer + 64, p.a.matrix};
          const auto load_a = [&](int half, uint16_t mask) {
            load_boxes<Element, a_mn_major, 1>(
                a + half * kBoxBytes, &a_map, barrier, choose(half == 0, p.a, second), mask);
          };
          const auto load_b = [&](int half, uint16_t mask) {
            load_boxes<Element, b_mn_major, 2>(
                b + half * 2 * kBoxBytes, &b_map, barrier, choose(half == 0, p.b[0], p.b[1]), mask);
          };
          if (!p.shared) {
            load_a(0, 0);
            load_a(1, 0);
            load_b(0, 0);
            if (wide) load_b(1, 0);
          } else if constexpr (Family::kShare == kShareA) {
            load_a(rank, kAll);
            load_b(0, 0);
            if (wide) load_b(1, 0);
          } else {
            load_a(0, 0);
            load_a(1, 0);
            if (wide || rank == 0) load_b(rank, kAll);
          }
        }
      }
    } else if (threadIdx.x >= kWarp) {
      aside.convert(taken);
    }
  } else {
    take_registers<224>();
    Stages ring{stages, full, empty, warpgroup - 1};
    float sums[128];
    while (schedule.next(work)) {
      if (ring.half * 64 >= work.rows || work.columns <= 0) {
        for (int step = 0; step < work.steps; step++) {
          ring.wait();
          ring.release(ring.ring.stage);
          ring.ring.advance();
        }
        continue;
      }
      if constexpr (!kAInRegisters<Family>) {
        multiply_rows<Family>(ring, work, sums);
      } else if (work.columns > 192) {
        multiply_held_rows<256>(ring, work, sums);
      } else if (work.columns > 128) {
        multiply_held_rows<192>(ring, work, sums);
      } else if (work.columns > 64) {
        multiply_held_rows<128>(ring, work, sums);
      } else {
        multiply_held_rows<64>(ring, work, sums);
      }
      // No use of the sums may move before the last wait.
#pragma unroll
      for (int i = 0; i < 128; i++) asm volatile("" : "+f"(sums[i])::"memory");
      if (work.steps == 0) {
#pragma unroll
        for (int i = 0; i < 128; i++) sums[i] = 0;
      }
      if constexpr (Family::kTransposed) {
        store_transposed(
            family, work, ring.half, sums, transposed + ring.half * kTransposedColumns * kTransposedBytes);
      } else {
        store_rows(family, work, ring.half, sums);
      }
    }
    family.finish(schedule, threadIdx.x - kWarpgroup, 2 * kWarpgroup);
    aside.convert(taken);
  }
  __syncwarp();
  // No block may go while another still writes into it.
  wait_for_cluster();
#endif
}

}  // namespace hopper
}  // namespace megablocks
