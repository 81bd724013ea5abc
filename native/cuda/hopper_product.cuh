// The kernel that multiplies in bfloat16 and TF32 on Hopper, by TMA and wgmma, for all families of products.
//
// A block of three warpgroups stays on its multiprocessor and goes from tile to tile. One thread of the first
// warpgroup loads; the other two warpgroups multiply, 64 rows each. They meet in a ring of stages in shared
// memory. Two blocks are a cluster and load what both need once. The first warpgroup's other warps may convert an
// operand of a later product meanwhile: the one waits for the memory, the other for multiplications.
#pragma once

#include <cuda_bf16.h>

#include "common.cuh"
#include "hopper_conversion.cuh"
#include "wgmma.cuh"

namespace megablocks {
namespace hopper {

constexpr int kTileRows = 128;
constexpr int kTileColumns = 256;
constexpr int kHalfColumns = kTileColumns / 2;
constexpr int kRowBytes = 128;  // Of a stage: the widest row that is swizzled.
constexpr int kThreads = 384;
constexpr int kWarpgroup = 128;
constexpr int kMultiplyingWarps = 2 * kWarpgroup / kWarp;
constexpr int kCluster = 2;

constexpr int kBoxBytes = 64 * kRowBytes;  // Of 64 rows or columns of a tile.
constexpr int kBBytes = kTileColumns * kRowBytes;
constexpr int kStagesBytes = 192 * 1024;
constexpr int kMaxStages = 4;

/// A tile whose rows are columns of the result is stored in boxes, each of them by two warps: of a column, a box has
/// the pair's rows, which are as wide as a row of a stage.
constexpr int kPair = 2 * kWarp;
constexpr int kPairs = kMultiplyingWarps / 2;
constexpr int kPairRows = kTileRows / kPairs;
static_assert(kPairRows * sizeof(float) == kRowBytes, "");
constexpr int kStoredColumns = 32;
constexpr int kStoredBytes = kStoredColumns * kRowBytes;
constexpr int kStoredBoxes = 2;  // Of a pair: it writes one while the other is stored.
constexpr int kPairBarrier = 3;  // The first pair's, after the warpgroups'.
/// With what it takes to begin on the 1024 bytes that swizzling demands.
constexpr int kSharedBytes =
    1024 + kStagesBytes + kPairs * kStoredBoxes * kStoredBytes + 2 * kMaxStages * 8 + 8;

/// The elements of a row.
template <typename Element>
constexpr int kDepthOf = kRowBytes / sizeof(Element);

/// What is in a stage: of both operands as much along the inner size as a row of b holds.
template <typename Family>
struct Stage {
  /// Whether a is float32 that is rounded to bfloat16 on the way from a stage to the multiplications.
  static constexpr bool kRoundsA = !std::is_same<typename Family::AElement, typename Family::Element>::value;
  /// Rounding takes so many registers that the warps that convert would lack them.
  static constexpr bool kConvertsAside = !kRoundsA;
  static constexpr int kLoadingRegisters = kConvertsAside ? 56 : 40;
  static constexpr int kMultiplyingRegisters = kConvertsAside ? 224 : 232;
  static constexpr int kDepth = kDepthOf<typename Family::Element>;
  static constexpr int kHalfABytes = 64 * kDepth * sizeof(typename Family::AElement);
  static constexpr int kABytes = 2 * kHalfABytes;
  static constexpr int kBytes = kABytes + kBBytes;
  static constexpr int kCount = kStagesBytes / kBytes;
  static_assert(kCount <= kMaxStages, "");
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

/// A matrix [depth, height, width] as the TMA loads or stores it, in bfloat16 or float32.
template <typename Element>
struct Matrix {
  const Element* data;
  int64_t width, height, depth;
  /// Elements from row to row.
  int64_t stride;
};

/// Where a box of an operand begins: along the inner size, along the other, and in which matrix; one of the result:
/// along a row, which row, and in which matrix.
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
template <int stages>
struct Ring {
  int stage = 0;
  uint32_t parity = 0;
  __device__ void advance() {
    if (++stage == stages) {
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

// ---- What wgmma does not take from shared memory, TF32 that is not K-major and float32 that is to be rounded to
// bfloat16, goes through registers.

template <typename Family>
constexpr bool kAInRegisters =
    Stage<Family>::kRoundsA || (std::is_same<typename Family::Element, float>::value && Family::kAMnMajor);

/// The first of the two rows, of 64, that a lane holds: such that lanes that read together meet in no bank.
template <typename Family>
__device__ inline int held_row(int warp, int lane) {
  const int i = lane / 4;
  if constexpr (Stage<Family>::kRoundsA) {
    return warp * 16 + i * 2;
  } else {
    // A box has eight vectors of four rows.
    const int vector = warp % 2 * 2 + i / 4 + i / 2 % 2 * 4;
    return warp / 2 * 32 + vector * 4 + i % 2 * 2;
  }
}

constexpr int kHeldProducts = kRowBytes / kMultiplyBytes;

/// What a stage has of 64 rows, for one product after the other.
template <typename Family>
struct HeldRows {
  uint32_t x[kHeldProducts][4];

  __device__ void load(const unsigned char* a) {
    const int lane = threadIdx.x % kWarp, row = held_row<Family>(threadIdx.x % kWarpgroup / kWarp, lane);
    each([&](int inner, uint32_t& low, uint32_t& high) {
      if constexpr (!Stage<Family>::kRoundsA) {
        const float2 two = rows(a, row, inner);
        low = __float_as_uint(two.x);
        high = __float_as_uint(two.y);
      } else if constexpr (Family::kAMnMajor) {
        const float2 even = rows(a, row, inner), odd = rows(a, row, inner + 1);
        low = to_bfloat16(even.x, odd.x);
        high = to_bfloat16(even.y, odd.y);
      } else {
        const float2 first = inners(a, row, inner), second = inners(a, row + 1, inner);
        low = to_bfloat16(first.x, first.y);
        high = to_bfloat16(second.x, second.y);
      }
    });
  }
  /// Sets what is not in [begin, end) along the inner size to zero.
  __device__ void clear_outside(int begin, int end) {
    each([&](int inner, uint32_t& low, uint32_t& high) {
      uint32_t kept = inner >= begin && inner < end ? ~0u : 0;
      if constexpr (Stage<Family>::kRoundsA) {
        // Two places.
        kept = (inner >= begin && inner < end ? 0xffffu : 0) | (inner + 1 >= begin && inner + 1 < end ? ~0xffffu : 0);
      }
      low &= kept;
      high &= kept;
    });
  }

 private:
  /// The two rows at the lane's places of the inner size, of bfloat16 two each.
  template <typename F>
  __device__ void each(F f) {
    constexpr int kPlaces = Stage<Family>::kDepth / (2 * kHeldProducts), kPlace = kPlaces / 4;
    const int first = threadIdx.x % 4 * kPlace;
#pragma unroll
    for (int i = 0; i < kHeldProducts; i++) {
      f(i * 2 * kPlaces + first, x[i][0], x[i][1]);
      f((i * 2 + 1) * kPlaces + first, x[i][2], x[i][3]);
    }
  }
  /// Two rows of four bytes at a place, MN-major.
  __device__ static float2 rows(const unsigned char* a, int row, int inner) {
    const unsigned char* const line = a + row / 32 * (Stage<Family>::kDepth * kRowBytes) + inner * kRowBytes;
    return *reinterpret_cast<const float2*>(line + (row % 32 / 4 ^ inner % 8) * 16 + row % 4 * 4);
  }
  /// Two places of a row, K-major.
  __device__ static float2 inners(const unsigned char* a, int row, int inner) {
    const unsigned char* const line = a + inner / 32 * (64 * kRowBytes) + row * kRowBytes;
    return *reinterpret_cast<const float2*>(line + (inner % 32 / 4 ^ row % 8) * 16 + inner % 4 * 4);
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

/// Sets what is not in [begin, end) along the inner size to zero; all threads of a warpgroup call it.
template <typename Family>
__device__ inline void clear_b_outside(unsigned char* b, int begin, int end) {
  if constexpr (Family::kBMnMajor) {
    // Boxes begin where the rows do.
    for (int i = 0; i < kTileColumns / 64; i++) zero_rows(b + i * kBoxBytes, end);
  } else {
    clear_outside(b, kTileColumns, begin, end);
  }
}

/// Where what the i-th product of a stage takes begins: so many bytes of a row, or rows of so many elements.
template <typename Element>
__device__ constexpr int product_offset(bool mn_major, int i) {
  return i * (mn_major ? kMultiplyBytes / static_cast<int>(sizeof(Element)) * kRowBytes : kMultiplyBytes);
}

/// The ring, as half of the warps that multiply see it.
template <typename Family>
struct Stages {
  using S = Stage<Family>;
  unsigned char* memory;
  uint64_t *full, *empty;
  int half;
  Ring<S::kCount> ring;

  __device__ unsigned char* a() const { return memory + ring.stage * S::kBytes + half * S::kHalfABytes; }
  __device__ unsigned char* b() const { return memory + ring.stage * S::kBytes + S::kABytes; }
  __device__ void wait() const { megablocks::wait(&full[ring.stage], ring.parity); }
  /// All blocks of the cluster may load into it again.
  __device__ void release(int stage) const {
    const int lane = threadIdx.x % kWarp;
    if (lane < kCluster) arrive_in_cluster(&empty[stage], lane);
  }
};

/// No use of the sums that follows may move before it, and so before a wait for them.
__device__ inline void keep_after(float (&sums)[128]) {
#pragma unroll
  for (int i = 0; i < 128; i++) asm volatile("" : "+f"(sums[i])::"memory");
}

/// Multiplies half a tile, of whose columns `columns` are computed, with a in registers.
template <typename Family, int columns>
__device__ void multiply_held_rows(Stages<Family>& stages, const Work& work, float (&sums)[128]) {
  using Element = typename Family::Element;
  constexpr int kDepth = Stage<Family>::kDepth;
  HeldRows<Family> even, odd;
  const auto multiply = [&](HeldRows<Family>& held, HeldRows<Family>& next, int step) {
    const int begin = step == 0 ? work.head : 0, end = step == work.steps - 1 ? work.tail : kDepth;
    unsigned char* const b = stages.b();
    if (begin > 0 || end < kDepth) {
      held.clear_outside(begin, end);
      clear_b_outside<Family>(b, begin, end);
      fence_shared();
      wait_for_threads<kWarpgroup>(1 + stages.half);
    }
    fence_wgmma();
#pragma unroll
    for (int i = 0; i < kHeldProducts; i++) {
      multiply_held<Element, columns, Family::kBMnMajor>(
          sums, held.x[i], operand_descriptor(b + product_offset<Element>(Family::kBMnMajor, i), kBoxBytes),
          step > 0 || i > 0);
    }
    commit_wgmma();
    // Meanwhile the next rows; the last time again what is there, so that nothing branches.
    const int stage = stages.ring.stage;
    auto following = stages.ring;
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

/// Multiplies half a tile, of whose columns `columns` are computed.
template <typename Family, int columns>
__device__ void multiply_rows(Stages<Family>& stages, const Work& work, float (&sums)[128]) {
  using Element = typename Family::Element;
  constexpr bool a_mn_major = Family::kAMnMajor, b_mn_major = Family::kBMnMajor;
  // Of several numbers of columns each must begin with sums of its own, or compilers let no two products overlap.
  constexpr bool kZeroed = Family::kTransposed;
  if constexpr (kZeroed) {
#pragma unroll
    for (int i = 0; i < 128; i++) sums[i] = 0;
  }
  int previous = -1;
  for (int step = 0; step < work.steps; step++) {
    stages.wait();
    unsigned char *const a = stages.a(), *const b = stages.b();
    if (a_mn_major && b_mn_major && step == work.steps - 1 && work.tail < kDepthOf<Element>) {
      // The rows beyond are the next group's.
      zero_rows(a, work.tail);
      clear_b_outside<Family>(b, 0, work.tail);
      fence_shared();
      wait_for_threads<kWarpgroup>(1 + stages.half);
    }
    fence_wgmma();
#pragma unroll
    for (int i = 0; i < kRowBytes / kMultiplyBytes; i++) {
      multiply_shared<Element, columns, a_mn_major, b_mn_major>(
          sums, operand_descriptor(a + product_offset<Element>(a_mn_major, i), kBoxBytes),
          operand_descriptor(b + product_offset<Element>(b_mn_major, i), kBoxBytes), kZeroed || step > 0 || i > 0);
    }
    commit_wgmma();
    // The stage before has been read when only this one is still multiplied.
    wait_for_wgmma<1>();
    if (previous >= 0) stages.release(previous);
    previous = stages.ring.stage;
    stages.ring.advance();
  }
  wait_for_wgmma<0>();
  keep_after(sums);
  if (previous >= 0) stages.release(previous);
}

/// Stores half a tile.
template <typename Family>
__device__ void store_rows(const Family& family, const Work& work, int half, const float (&sums)[128]) {
  const int warp = threadIdx.x % kWarpgroup / kWarp, lane = threadIdx.x % kWarp;
#pragma unroll
  for (int part = 0; part < 2; part++) {
    const int row =
        half * 64 + (kAInRegisters<Family> ? held_row<Family>(warp, lane) + part : warp * 16 + part * 8 + lane / 4);
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

/// Stores half a tile whose rows are columns of the result, in boxes: the TMA reads one from shared memory while the
/// next one is written, and the last ones while the next tile is multiplied. A box that is cut, as the next expert's
/// rows may follow, is stored by the threads. All threads of a warpgroup call it.
template <typename Family>
__device__ void store_transposed(
    const Family& family, const Work& work, const CUtensorMap* map, unsigned char* boxes, const float (&sums)[128]) {
  const int pair = (threadIdx.x - kWarpgroup) / kPair, thread = threadIdx.x % kPair, lane = thread % kWarp;
  const int first_row = pair * kPairRows, warp = threadIdx.x % kWarpgroup / kWarp;
  // The first of a lane's two rows; the other one is the next, or lies eight further.
  const int held = (kAInRegisters<Family> ? held_row<Family>(warp, lane) : warp * 16 + lane / 4) % kPairRows;
  // Which of its two columns a lane writes first: such that lanes that write together meet in no bank.
  const bool second_first = kAInRegisters<Family> && !Stage<Family>::kRoundsA && lane % 4 >= 2;
  const auto wait_for_pair = [&] { wait_for_threads<kPair>(kPairBarrier + pair); };
  // A column after the other, in vectors of four rows, swizzled.
  const auto at = [](unsigned char* box, int column, int row) {
    return box + column * kRowBytes + (row / 4 ^ column % 8) * 16 + row % 4 * sizeof(float);
  };
#pragma unroll
  for (int first = 0; first < kTileColumns; first += kStoredColumns) {
    if (first >= work.columns) continue;
    unsigned char* const box = boxes + (pair * kStoredBoxes + first / kStoredColumns % kStoredBoxes) * kStoredBytes;
    if (thread == 0) {
      // What the box had has been read: of the tile before, all.
      first == 0 ? wait_for_reads<0>() : wait_for_reads<kStoredBoxes - 1>();
    }
    wait_for_pair();
#pragma unroll
    for (int i = 0; i < kStoredColumns / 4; i++) {
      const int j = (first / 8 + i / 2) * 4;
      const float2 left{sums[j], sums[j + 2]}, right{sums[j + 1], sums[j + 3]};
      const bool second = second_first != (i % 2 != 0);
      const int column = i / 2 * 8 + lane % 4 * 2 + second;
      const float2 rows = second ? right : left;
      if constexpr (kAInRegisters<Family>) {
        *reinterpret_cast<float2*>(at(box, column, held)) = rows;
      } else {
        *reinterpret_cast<float*>(at(box, column, held)) = rows.x;
        *reinterpret_cast<float*>(at(box, column, held + 8)) = rows.y;
      }
    }
    fence_shared();
    wait_for_pair();
    if (first + kStoredColumns <= work.columns) {
      if (thread == 0) {
        const Place p = family.place(work, first_row, first);
        store_box(map, box, static_cast<int>(p.inner), static_cast<int>(p.outer), p.matrix);
        commit_stores();
      }
      continue;
    }
    constexpr int kVectors = kPairRows / 4;
    const int row = thread % kVectors * 4;
#pragma unroll
    for (int column = thread / kVectors; column < kStoredColumns; column += kPair / kVectors) {
      if (first_row + row < work.rows && first + column < work.columns) {
        family.store(work, first + column, first_row + row, *reinterpret_cast<const float4*>(at(box, column, row)));
      }
    }
  }
}

/// The height of a box of an operand that loads `count` times 64 along its outer size.
__host__ __device__ constexpr int box_height(int depth, bool mn_major, int count) {
  return mn_major ? depth : count * 64;
}

/// Loads `count` times 64 along the outer size by `depth` from a place on, in boxes as wide as a row.
template <typename Element, int depth, bool mn_major, int count>
__device__ void load_boxes(
    unsigned char* to, const CUtensorMap* map, uint64_t* barrier, const Place& p, uint16_t mask) {
  const int inner = static_cast<int>(p.inner), outer = static_cast<int>(p.outer);
  constexpr int kWidth = kDepthOf<Element>, kHeight = box_height(depth, mn_major, count);
#pragma unroll
  for (int i = 0; i < (mn_major ? count * 64 : depth) / kWidth; i++) {
    const int x = (mn_major ? outer : inner) + i * kWidth, y = mn_major ? inner : outer;
    if (mask == 0) {
      load_box(to + i * kHeight * kRowBytes, map, barrier, x, y, p.matrix);
    } else {
      load_box_to_cluster(to + i * kHeight * kRowBytes, map, barrier, x, y, p.matrix, mask);
    }
  }
}

/// Family: what a launch is made of. It has Element, what is multiplied (float in TF32), and AElement, what a is in
/// memory: that, or float to be rounded to bfloat16; kAMnMajor, kBMnMajor, kShare; kTransposed, whether a tile's rows
/// are columns of the result, for which it has the result and the place in it of a row and column of a tile, and stores
/// vectors of four rows where there is no whole box; a type Schedule made of the family, the cluster's index, their
/// number and the block's rank, that gives one Work after the other; the places of a step, asked for one after the
/// other; the line of the result that receives a row in vectors of four, the j-th at a column, and may load what
/// belongs to them before; and what is left to do for all blocks when the tiles are done. `aside` is converted
/// meanwhile.
template <typename Family>
__global__ void __launch_bounds__(kThreads, 1)
    hopper_product_kernel(const __grid_constant__ CUtensorMap a_map,
                          const __grid_constant__ CUtensorMap b_map,
                          const __grid_constant__ CUtensorMap result_map,
                          const __grid_constant__ Family family,
                          const __grid_constant__ Strip aside) {
// Other GPUs never launch it, and the host must see that it uses what is above.
#if defined(__CUDA_ARCH_FEAT_SM90_ALL) || !defined(__CUDA_ARCH__)
  using S = Stage<Family>;
  constexpr bool a_mn_major = Family::kAMnMajor, b_mn_major = Family::kBMnMajor;
  extern __shared__ unsigned char memory[];
  unsigned char* const stages = memory + (1024 - shared_address(memory) % 1024) % 1024;
  unsigned char* const boxes = stages + kStagesBytes;
  uint64_t* const full = reinterpret_cast<uint64_t*>(boxes + kPairs * kStoredBoxes * kStoredBytes);
  uint64_t* const empty = full + kMaxStages;
  int* const taken = reinterpret_cast<int*>(empty + kMaxStages);
  if (threadIdx.x == 0) {
    *taken = 0;
    for (int i = 0; i < S::kCount; i++) {
      init_barrier(&full[i], 1);
      init_barrier(&empty[i], kCluster * kMultiplyingWarps);
    }
    fence_barriers();
    prefetch_map(&a_map);
    prefetch_map(&b_map);
    if constexpr (Family::kTransposed) prefetch_map(&result_map);
  }
  wait_for_cluster();

  const int warpgroup = threadIdx.x / kWarpgroup;
  const int rank = cluster_rank();
  typename Family::Schedule schedule(family, blockIdx.x / kCluster, gridDim.x / kCluster, rank);
  Work work;

  if (warpgroup == 0) {
    give_registers<S::kLoadingRegisters>();
    if (threadIdx.x == 0) {
      Ring<S::kCount> ring;
      while (schedule.next(work)) {
        for (int step = 0; step < work.steps; step++, ring.advance()) {
          const Places p = family.places(work, step);
          wait(&empty[ring.stage], ring.parity ^ 1);
          constexpr uint16_t kAll = (1 << kCluster) - 1;
          unsigned char* a = stages + ring.stage * S::kBytes;
          unsigned char* b = a + S::kABytes;
          uint64_t* barrier = &full[ring.stage];
          // A tile of half the columns, or fewer, takes half of b.
          const bool wide = work.columns > kHalfColumns;
          arrive_expecting(barrier, wide ? S::kBytes : S::kBytes - kBBytes / 2);
          const Place second{p.a.inner, p.a.outer + 64, p.a.matrix};
          const auto load_a = [&](int half, uint16_t mask) {
            load_boxes<typename Family::AElement, S::kDepth, a_mn_major, 1>(
                a + half * S::kHalfABytes, &a_map, barrier, choose(half == 0, p.a, second), mask);
          };
          const auto load_b = [&](int half, uint16_t mask) {
            load_boxes<typename Family::Element, S::kDepth, b_mn_major, 2>(
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
    } else if (S::kConvertsAside && threadIdx.x >= kWarp) {
      aside.convert(taken);
    }
  } else {
    take_registers<S::kMultiplyingRegisters>();
    Stages<Family> ring{stages, full, empty, warpgroup - 1};
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
      const auto multiply = [&](auto columns) {
        constexpr int kColumns = decltype(columns)::value;
        if constexpr (kAInRegisters<Family>) {
          multiply_held_rows<Family, kColumns>(ring, work, sums);
        } else {
          multiply_rows<Family, kColumns>(ring, work, sums);
        }
      };
      // Where a tile has the result's columns, most are whole.
      if constexpr (!kAInRegisters<Family> && !Family::kTransposed) {
        multiply(std::integral_constant<int, 256>());
      } else if (work.columns > 192) {
        multiply(std::integral_constant<int, 256>());
      } else if (work.columns > 128) {
        multiply(std::integral_constant<int, 192>());
      } else if (work.columns > 64) {
        multiply(std::integral_constant<int, 128>());
      } else {
        multiply(std::integral_constant<int, 64>());
      }
      keep_after(sums);
      if (work.steps == 0) {
#pragma unroll
        for (int i = 0; i < 128; i++) sums[i] = 0;
      }
      if constexpr (Family::kTransposed) {
        store_transposed(family, work, &result_map, boxes, sums);
      } else {
        store_rows(family, work, ring.half, sums);
      }
    }
    // The memory is this block's until it has been read.
    if (Family::kTransposed && threadIdx.x % kPair == 0) wait_for_reads<0>();
    family.finish(schedule, threadIdx.x - kWarpgroup, 2 * kWarpgroup);
    if constexpr (S::kConvertsAside) aside.convert(taken);
  }
  __syncwarp();
  // No block may go while another still writes into it.
  wait_for_cluster();
#endif
}

}  // namespace hopper
}  // namespace megablocks
