// The kernel that multiplies in bfloat16 on Hopper, by TMA and wgmma, for all families of products.
//
// A block of three warpgroups stays on its multiprocessor and goes from tile to tile. Of the first
// warpgroup, one warp loads, by one thread, and three convert: they round float32 operands to bfloat16 in
// the workspace, gathered where the operand is, in the order in which tiles need them, while others
// multiply. The other two warpgroups
// multiply, 64 rows each. Loading and multiplying meet in a ring of stages in shared memory; converting
// and loading meet in flags in the workspace. Two blocks are a cluster and load what both need once.
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

// ---- Conversion.

/// A matrix [height, width] that is converted on the way, in chunks: panels of columns, one after the
/// other, each from its first row to its last.
struct Conversion {
  /// Null where `to` holds the matrix in bfloat16 already.
  const float* from;
  __nv_bfloat16* to;
  /// Row i is row indices[i] / top_k of `from`, zero where that does not exist; null: row i.
  const int32_t* indices;
  int64_t height;
  int width, panel, chunk_rows, top_k;
  int64_t row_blocks;
  int num_chunks;

  /// How many chunks hold the panel of `column` up to row `end`.
  __device__ int chunks_through(int64_t end, int64_t column) const {
    if (num_chunks == 0) return 0;
    const int64_t blocks = ceil_divide<int64_t>(min(end, height), chunk_rows);
    return static_cast<int>(min(column, width - int64_t{1}) / panel * row_blocks + blocks);
  }
};

/// The conversions of a call and how far they are. `flags` follow each other: those of a, then of b.
struct Conversions {
  Conversion a, b;
  uint32_t *claimed, *flags;
  /// The position that loading has come to, and by how much converting may be ahead of it, so that what
  /// it writes is still in the L2 when it is loaded.
  int* demand;
  int window;

  __device__ int total() const { return a.num_chunks + b.num_chunks; }
  /// The chunks of a that come before position p of the common order, in which both advance alike.
  __device__ int a_before(int p) const {
    return static_cast<int>(int64_t{p} * a.num_chunks / total());
  }
  /// A position by which so many chunks of a, or of b, have come.
  __device__ int position(int chunks, const Conversion& of) const {
    return of.num_chunks == 0 ? 0 : static_cast<int>(int64_t{chunks} * total() / of.num_chunks) + 2;
  }
};

__device__ inline uint32_t load_acquire(const uint32_t* from) {
  uint32_t value;
  asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(value) : "l"(from) : "memory");
  return value;
}
__device__ inline void store_release(uint32_t* to, uint32_t value) {
  asm volatile("st.release.gpu.global.u32 [%0], %1;" ::"l"(to), "r"(value) : "memory");
}

/// Four values, rounded to bfloat16.
__device__ inline uint2 to_bfloat16(float4 v) {
  const __nv_bfloat162 low = __floats2bfloat162_rn(v.x, v.y), high = __floats2bfloat162_rn(v.z, v.w);
  return {reinterpret_cast<const uint32_t&>(low), reinterpret_cast<const uint32_t&>(high)};
}

/// Vectors of four that a lane loads together when it converts.
constexpr int kHeld = 8;

/// Goes over the vectors of four of some rows, the lanes of a warp side by side.
struct Cursor {
  int row, column;
  __device__ explicit Cursor(int width) : row(threadIdx.x % kWarp / width), column(threadIdx.x % kWarp % width) {}
  __device__ void advance(int width, int rows_a_step, int columns_a_step) {
    row += rows_a_step;
    column += columns_a_step;
    if (column >= width) {
      column -= width;
      row++;
    }
  }
};

/// Converts `rows` rows, at most 32, of `width` vectors of four; a lane's `from` is where the row of its
/// number begins, null where it is zero. Rows of `to` are `stride` vectors apart. `some` can be read.
__device__ inline void convert_rows(
    const float4* from, const float4* some, int rows, int width, uint2* to, int64_t stride) {
  // Two batches of loads, one of them on its way while the other is stored. No load is conditional: it would
  // be waited for where it stands.
  struct Batch {
    float4 x[kHeld];
  };
  const int count = rows * width, rows_a_step = kWarp / width, columns_a_step = kWarp % width;
  const int lane = threadIdx.x % kWarp;
  int loaded = lane, stored = lane;
  Cursor load(width), store(width);
  const uint32_t exist = __ballot_sync(~0u, from != nullptr);
  const uint64_t begin = reinterpret_cast<uint64_t>(from != nullptr ? from : some);
  const auto load_next = [&](Batch& b) {
#pragma unroll
    for (int i = 0; i < kHeld; i++) {
      const float4* row = reinterpret_cast<const float4*>(__shfl_sync(~0u, begin, load.row));
      b.x[i] = __ldcs(loaded < count ? row + load.column : some);
      loaded += kWarp;
      load.advance(width, rows_a_step, columns_a_step);
    }
  };
  const auto store_next = [&](const Batch& b) {
#pragma unroll
    for (int i = 0; i < kHeld; i++) {
      const bool exists = exist >> store.row & 1;
      if (stored < count) to[store.row * stride + store.column] = exists ? to_bfloat16(b.x[i]) : uint2{};
      stored += kWarp;
      store.advance(width, rows_a_step, columns_a_step);
    }
  };
  Batch even, odd;
  load_next(even);
  for (int done = 0; done < count; done += 2 * kHeld * kWarp) {
    load_next(odd);
    store_next(even);
    load_next(even);
    store_next(odd);
  }
}

/// Converts `blocks` times kFlatBlock vectors of four that follow each other.
constexpr int kFlatBlock = 2 * kHeld * kWarp;
__device__ inline void convert_flat(const float4* from, int blocks, uint2* to) {
  from += threadIdx.x % kWarp;
  to += threadIdx.x % kWarp;
  float4 even[kHeld], odd[kHeld];
#pragma unroll
  for (int i = 0; i < kHeld; i++) even[i] = __ldcs(from + i * kWarp);
  for (; blocks > 0; blocks--) {
#pragma unroll
    for (int i = 0; i < kHeld; i++) odd[i] = __ldcs(from + (kHeld + i) * kWarp);
#pragma unroll
    for (int i = 0; i < kHeld; i++) to[i * kWarp] = to_bfloat16(even[i]);
    // The last time again what is there, so that no load is conditional.
    from += blocks > 1 ? kFlatBlock : 0;
#pragma unroll
    for (int i = 0; i < kHeld; i++) even[i] = __ldcs(from + i * kWarp);
#pragma unroll
    for (int i = 0; i < kHeld; i++) to[(kHeld + i) * kWarp] = to_bfloat16(odd[i]);
    to += kFlatBlock;
  }
}

/// Converts a chunk; the lanes of a warp call it.
__device__ inline void convert_chunk(const Conversion& c, int chunk) {
  const int lane = threadIdx.x % kWarp;
  const int64_t first = chunk % c.row_blocks * c.chunk_rows;
  const int64_t left = chunk / c.row_blocks * c.panel;
  int rows = static_cast<int>(min(int64_t{c.chunk_rows}, c.height - first));
  int width = static_cast<int>(min(int64_t{c.panel}, c.width - left)) / 4;
  if (c.panel >= c.width && c.indices == nullptr) {
    // One row, as it were.
    width *= rows;
    rows = 1;
  }
  const int64_t stride = c.width / 4;
  const float4* const from = reinterpret_cast<const float4*>(c.from + left);
  uint2* const to = reinterpret_cast<uint2*>(c.to + first * c.width + left);
  if (rows == 1 && c.indices == nullptr && width % kFlatBlock == 0) {
    convert_flat(from + first * stride, width / kFlatBlock, to);
    return;
  }
  for (int i = 0; i < rows; i += kWarp) {
    const float4* row = nullptr;
    if (i + lane < rows) {
      int64_t source = first + i + lane;
      if (c.indices != nullptr) {
        const int copy = c.indices[source];
        source = copy >= 0 && copy < c.height ? copy / c.top_k : -1;
      }
      if (source >= 0) row = from + source * stride;
    }
    convert_rows(row, from, min(rows - i, kWarp), width, to + i * stride, stride);
  }
}

/// What the converting warps do.
__device__ inline void convert(const Conversions& c) {
  const int lane = threadIdx.x % kWarp, total = c.total();
  int demand = 0;
  int next = lane == 0 ? static_cast<int>(atomicAdd(c.claimed, 1u)) : 0;
  for (;;) {
    const int p = __shfl_sync(~0u, next, 0);
    if (p >= total) return;
    // The next one while this one is converted; a warp's own chunks are in order, so that the first chunk
    // that is not converted is always one that is being converted or waits here.
    if (lane == 0) next = static_cast<int>(atomicAdd(c.claimed, 1u));
    // What any block waits for lies before the demand, so nobody waits for what waits here.
    while (p - c.window > demand) {
      demand = *static_cast<volatile int*>(c.demand);
      if (p - c.window > demand) __nanosleep(100);
    }
    const int before = c.a_before(p);
    const bool is_a = c.a_before(p + 1) > before;
    convert_chunk(is_a ? c.a : c.b, is_a ? before : p - before);
    fence_memory_for_loads();
    __syncwarp();
    if (lane == 0) store_release(c.flags + (is_a ? before : c.a.num_chunks + p - before), 1);
  }
}

/// Waits until `needed` chunks of those with these flags are converted; all lanes of the warp call it.
/// `known` is how many were known to be.
__device__ inline void wait_for_chunks(const uint32_t* flags, int num_chunks, int needed, int& known) {
  if (known >= needed) return;
  const int lane = threadIdx.x % kWarp;
  while (known < needed) {
    const int i = known + lane;
    const uint32_t ready = __ballot_sync(~0u, i >= num_chunks || load_acquire(flags + i) != 0);
    const int run = ready == ~0u ? kWarp : __ffs(~ready) - 1;
    known += run;
    if (run == 0) __nanosleep(50);
  }
  __syncwarp();
  fence_memory_for_loads();
}

// ---- Multiplication.

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

/// Family: what a launch is made of. It has Element, the type of the operands, kAMnMajor, kBMnMajor, kShare; a type Schedule made of the
/// family, the cluster's index, their number and the block's rank, that gives one Work after the other; the
/// places of a step, and how many chunks of either operand it needs; the line of the result that receives a
/// row in vectors of four, the j-th at a column, and may load what belongs to them before; and what is left
/// to do for all blocks when the tiles are done.
template <typename Family>
__global__ void __launch_bounds__(kThreads, 1)
    hopper_product_kernel(const __grid_constant__ CUtensorMap a_map,
                          const __grid_constant__ CUtensorMap b_map,
                          const __grid_constant__ Conversions conversions,
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
    give_registers<104>();
    if (threadIdx.x < kWarp) {
      const int num_a = conversions.a.num_chunks, num_b = conversions.b.num_chunks;
      int known_a = 0, known_b = 0, published = 0;
      while (schedule.next(work)) {
        for (int step = 0; step < work.steps; step++) {
          const Places p = family.places(work, step);
          if (num_a + num_b > 0) {
            int needed_a, needed_b;
            family.needs(conversions, work, step, needed_a, needed_b);
            const int wanted = max(conversions.position(needed_a, conversions.a),
                                   conversions.position(needed_b, conversions.b));
            // In strides, so that few blocks write at a time.
            if (wanted > published + conversions.window / 8) {
              published = wanted;
              if (lane == 0) atomicMax(conversions.demand, wanted + conversions.window / 8);
            }
            wait_for_chunks(conversions.flags, num_a, needed_a, known_a);
            wait_for_chunks(conversions.flags + num_a, num_b, needed_b, known_b);
          }
          wait(&empty[ring.stage], ring.parity ^ 1);
          if (lane == 0) {
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
          __syncwarp();
          ring.advance();
        }
      }
      if (num_a + num_b > 0 && lane == 0) atomicMax(conversions.demand, INT32_MAX);
    } else if (conversions.total() > 0) {
      convert(conversions);
    }
  } else {
    take_registers<200>();
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
  // No block may go while another still writes into it.
  wait_for_cluster();
#endif
}

}  // namespace hopper
}  // namespace megablocks
