// The kernel that multiplies in bfloat16 on Hopper, by TMA and wgmma, for all families of products.
//
// A block of three warpgroups stays on its multiprocessor and goes from tile to tile. One thread of the first
// warpgroup loads; the other two warpgroups multiply, 64 rows each. They meet in a ring of stages in shared
// memory. Two blocks are a cluster and load what both need once.
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
/// With what it takes to begin on the 1024 bytes that swizzling demands.
constexpr int kSharedBytes = 1024 + kStages * kStageBytes + 2 * kStages * 8;

/// The elements of a row: the depth of a stage along the inner size.
template <typename Element>
constexpr int kDepthOf = kRowBytes / sizeof(Element);

/// Four values, rounded to bfloat16.
__device__ inline uint2 to_bfloat16(float4 v) {
  const __nv_bfloat162 low = __floats2bfloat162_rn(v.x, v.y), high = __floats2bfloat162_rn(v.z, v.w);
  return {reinterpret_cast<const uint32_t&>(low), reinterpret_cast<const uint32_t&>(high)};
}

/// The vectors of a row that a lane has.
constexpr int kLaneVectors = kTileColumns / 16;

/// A line of a result that loads nothing.
struct LoadsNothing {
  __device__ void load(int) {}
};

/// One tile, as all warpgroups see it.
struct Work {
  /// Steps of a stage's depth along the inner size, and how much of the last is to be multiplied, where the rows
  /// beyond are not zero.
  int steps, tail;
  /// Rows and columns that exist, 0 or less: none.
  int rows, columns;
  /// Where the tile lies in the result; what more a family needs to find the operands.
  int64_t row;
  int column;
  int64_t group, begin;
};

/// Where a box of an operand begins: along the inner size, along the other, and in which matrix.
struct Place {
  int64_t inner, outer;
  int matrix;
};

/// Where a step's boxes begin: of a, and of the halves of b.
struct Places {
  Place a, b[2];
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

/// Family: what a launch is made of. It has Element, the type of the operands, kAMnMajor, kBMnMajor, kShare; a
/// type Schedule made of the family, the cluster's index, their number and the block's rank, that gives one
/// Work after the other; the places of a step; the line of the result that receives a row in vectors of four,
/// the j-th at a column, and may load what belongs to them before; and what is left to do for all blocks when
/// the tiles are done.
template <typename Family>
__global__ void __launch_bounds__(kThreads, 1)
    hopper_product_kernel(const __grid_constant__ CUtensorMap a_map,
                          const __grid_constant__ CUtensorMap b_map,
                          const __grid_constant__ Family family) {
// Other GPUs never launch it, and the host must see that it uses what is above.
#if defined(__CUDA_ARCH_FEAT_SM90_ALL) || !defined(__CUDA_ARCH__)
  using Element = typename Family::Element;
  constexpr bool a_mn_major = Family::kAMnMajor, b_mn_major = Family::kBMnMajor;
  constexpr int kDepth = kDepthOf<Element>;
  extern __shared__ unsigned char memory[];
  unsigned char* const stages = memory + (1024 - shared_address(memory) % 1024) % 1024;
  uint64_t* const full = reinterpret_cast<uint64_t*>(stages + kStages * kStageBytes);
  uint64_t* const empty = full + kStages;
  if (threadIdx.x == 0) {
    for (int i = 0; i < kStages; i++) {
      init_barrier(&full[i], 1);
      init_barrier(&empty[i], kCluster * kMultiplyingWarps);
    }
    fence_barriers();
    prefetch_map(&a_map);
    prefetch_map(&b_map);
  }
  wait_for_cluster();

  const int warpgroup = threadIdx.x / kWarpgroup, lane = threadIdx.x % kWarp;
  const int rank = cluster_rank();
  typename Family::Schedule schedule(family, blockIdx.x / kCluster, gridDim.x / kCluster, rank);
  Work work;
  Ring ring;

  if (warpgroup == 0) {
    give_registers<56>();
    if (threadIdx.x == 0) {
      while (schedule.next(work)) {
        for (int step = 0; step < work.steps; step++, ring.advance()) {
          const Places p = family.places(work, step);
          wait(&empty[ring.stage], ring.parity ^ 1);
          constexpr uint16_t kAll = (1 << kCluster) - 1;
          unsigned char* a = stages + ring.stage * kStageBytes;
          unsigned char* b = a + kABytes;
          uint64_t* barrier = &full[ring.stage];
          arrive_expecting(barrier, kStageBytes);
          const Place second{p.a.inner, p.a.outer + 64, p.a.matrix};
          const auto load_a = [&](int half, uint16_t mask) {
            load_boxes<Element, a_mn_major, 1>(a + half * kBoxBytes, &a_map, barrier, half == 0 ? p.a : second, mask);
          };
          const auto load_b = [&](int half, uint16_t mask) {
            load_boxes<Element, b_mn_major, 2>(
                b + half * 2 * kBoxBytes, &b_map, barrier, half == 0 ? p.b[0] : p.b[1], mask);
          };
          if constexpr (Family::kShare == kShareA) {
            load_a(rank, kAll);
            load_b(0, 0);
            load_b(1, 0);
          } else {
            load_a(0, 0);
            load_a(1, 0);
            load_b(rank, kAll);
          }
        }
      }
    }
  } else {
    take_registers<224>();
    const int half = warpgroup - 1;
    const auto release = [&](int stage) {
      if (lane < kCluster) arrive_in_cluster(&empty[stage], lane);
    };
    float sums[128];
    while (schedule.next(work)) {
      const bool multiplies = half * 64 < work.rows && work.columns > 0;
      int previous = -1;
      for (int step = 0; step < work.steps; step++) {
        wait(&full[ring.stage], ring.parity);
        if (!multiplies) {
          release(ring.stage);
          ring.advance();
          continue;
        }
        unsigned char* a = stages + ring.stage * kStageBytes + half * kBoxBytes;
        unsigned char* b = stages + ring.stage * kStageBytes + kABytes;
        if (a_mn_major && b_mn_major && step == work.steps - 1 && work.tail < kDepth) {
          // The rows beyond are the next group's.
          zero_rows(a, work.tail);
          for (int i = 0; i < kTileColumns / 64; i++) zero_rows(b + i * kBoxBytes, work.tail);
          fence_shared_for_wgmma();
          wait_for_warpgroup(1 + half);
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
        if (previous >= 0) release(previous);
        previous = ring.stage;
        ring.advance();
      }
      wait_for_wgmma<0>();
      // No use of the sums may move before the wait.
#pragma unroll
      for (int i = 0; i < 128; i++) asm volatile("" : "+f"(sums[i])::"memory");
      if (previous >= 0) release(previous);
      if (!multiplies) continue;
      if (work.steps == 0) {
#pragma unroll
        for (int i = 0; i < 128; i++) sums[i] = 0;
      }

      const int warp = threadIdx.x % kWarpgroup / kWarp;
#pragma unroll
      for (int part = 0; part < 2; part++) {
        const int row = half * 64 + warp * 16 + part * 8 + lane / 4;
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
    family.finish(schedule, threadIdx.x - kWarpgroup, 2 * kWarpgroup);
  }
  __syncwarp();
  // No block may go while another still writes into it.
  wait_for_cluster();
#endif
}

}  // namespace hopper
}  // namespace megablocks
