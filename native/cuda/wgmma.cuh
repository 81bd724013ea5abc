// The parts of PTX by which Hopper multiplies: barriers in shared memory, loads by the tensor memory
// accelerator (TMA), and products of whole warpgroups (wgmma).
#pragma once

#include <cuda.h>
#include <cuda_bf16.h>

#include <cstdint>
#include <type_traits>

namespace megablocks {

__device__ inline uint32_t shared_address(const void* pointer) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

// ---- Barriers.

__device__ inline void init_barrier(uint64_t* barrier, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(arrivals));
}
/// Makes new barriers known to the TMA.
__device__ inline void fence_barriers() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }

__device__ inline void arrive(uint64_t* barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier)) : "memory");
}
/// Arrives, and has the barrier wait for so many bytes as well.
__device__ inline void arrive_expecting(uint64_t* barrier, uint32_t bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)),
               "r"(bytes)
               : "memory");
}
/// Waits until the phase of this parity is over.
__device__ inline void wait(uint64_t* barrier, uint32_t parity) {
  uint32_t done;
  do {
    asm volatile(
        "{\n"
        ".reg .pred p;\n"
        "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
        "selp.u32 %0, 1, 0, p;\n"
        "}\n"
        : "=r"(done)
        : "r"(shared_address(barrier)), "r"(parity)
        : "memory");
  } while (!done);
}
/// Arrives at the barrier that lies at the same place in block `rank` of the cluster. It orders nothing that
/// this thread has written: who arrives has read.
__device__ inline void arrive_in_cluster(uint64_t* barrier, int rank) {
  asm volatile(
      "{\n"
      ".reg .b32 remote;\n"
      "mapa.shared::cluster.u32 remote, %0, %1;\n"
      "mbarrier.arrive.shared::cluster.b64 _, [remote];\n"
      "}\n" ::"r"(shared_address(barrier)),
      "r"(rank)
      : "memory");
}
/// Waits for all threads of the cluster.
__device__ inline void wait_for_cluster() {
  asm volatile("barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;" ::: "memory");
}
__device__ inline int cluster_rank() {
  uint32_t rank;
  asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return static_cast<int>(rank);
}
/// Waits until so many threads of whole warps wait at the barrier of this name.
template <int threads>
__device__ inline void wait_for_threads(int name) {
  asm volatile("bar.sync %0, %1;" ::"r"(name), "n"(threads) : "memory");
}

// ---- Loads.

/// Loads the box of a tensor of rank 3 that begins at (x, y, z), x along the rows in memory.
__device__ inline void load_box(
    void* to, const CUtensorMap* map, uint64_t* barrier, int x, int y, int z) {
  asm volatile(
      "cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes "
      "[%0], [%1, {%3, %4, %5}], [%2];" ::"r"(shared_address(to)),
      "l"(map), "r"(shared_address(barrier)), "r"(x), "r"(y), "r"(z)
      : "memory");
}
/// As above, to the same place in every block of the cluster that `mask` has; each one's barrier hears.
__device__ inline void load_box_to_cluster(
    void* to, const CUtensorMap* map, uint64_t* barrier, int x, int y, int z, uint16_t mask) {
  asm volatile(
      "cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster "
      "[%0], [%1, {%3, %4, %5}], [%2], %6;" ::"r"(shared_address(to)),
      "l"(map), "r"(shared_address(barrier)), "r"(x), "r"(y), "r"(z), "h"(mask)
      : "memory");
}
__device__ inline void prefetch_map(const CUtensorMap* map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(map) : "memory");
}

// ---- Stores.

/// Makes what threads have written to shared memory known to wgmma and the TMA.
__device__ inline void fence_shared() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
/// Stores a box where it begins in the tensor; what lies beyond an edge is left out.
__device__ inline void store_box(const CUtensorMap* map, const void* from, int x, int y, int z) {
  asm volatile("cp.async.bulk.tensor.3d.global.shared::cta.bulk_group [%0, {%2, %3, %4}], [%1];" ::"l"(map),
               "r"(shared_address(from)), "r"(x), "r"(y), "r"(z)
               : "memory");
}
/// The stores that this thread has begun since the last time are a group.
__device__ inline void commit_stores() { asm volatile("cp.async.bulk.commit_group;" ::: "memory"); }
/// Waits until at most `count` of this thread's groups are still read from shared memory.
template <int count>
__device__ inline void wait_for_reads() {
  asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(count) : "memory");
}

// ---- Products.

/// Where an operand lies in shared memory, in rows of 128 bytes that the TMA has swizzled, eight rows
/// (1024 bytes) a unit. K-major, a row goes along the inner size, and units follow each other
/// along the other one. MN-major, it goes along the other, units follow along the inner size, and what comes
/// after the row begins `chunk_bytes` later.
__device__ inline uint64_t operand_descriptor(const void* pointer, uint32_t chunk_bytes) {
  const uint64_t address = shared_address(pointer) >> 4;
  return (address & 0x3fff) | (uint64_t{chunk_bytes >> 4} << 16) | (uint64_t{1024 >> 4} << 32) |
         (uint64_t{1} << 62);
}

__device__ inline void fence_wgmma() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ inline void commit_wgmma() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
/// Waits until at most `count` groups are still multiplying.
template <int count>
__device__ inline void wait_for_wgmma() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(count) : "memory");
}

/// What a product takes of either operand along the inner size.
constexpr int kMultiplyBytes = 32;

// The sums of a thread, half as many as columns, as the first operands of a product.
#define MEGABLOCKS_32_SUMS \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, " \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define MEGABLOCKS_64_SUMS \
  MEGABLOCKS_32_SUMS ", " \
  "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
  "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define MEGABLOCKS_96_SUMS \
  MEGABLOCKS_64_SUMS ", " \
  "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, " \
  "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95"
#define MEGABLOCKS_128_SUMS \
  MEGABLOCKS_96_SUMS ", " \
  "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, " \
  "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"
#define MEGABLOCKS_32_OPERANDS(d) \
  "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]), \
  "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]), \
  "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23]), \
  "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31])
#define MEGABLOCKS_64_OPERANDS(d) \
  MEGABLOCKS_32_OPERANDS(d), \
  "+f"(d[32]), "+f"(d[33]), "+f"(d[34]), "+f"(d[35]), "+f"(d[36]), "+f"(d[37]), "+f"(d[38]), "+f"(d[39]), \
  "+f"(d[40]), "+f"(d[41]), "+f"(d[42]), "+f"(d[43]), "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47]), \
  "+f"(d[48]), "+f"(d[49]), "+f"(d[50]), "+f"(d[51]), "+f"(d[52]), "+f"(d[53]), "+f"(d[54]), "+f"(d[55]), \
  "+f"(d[56]), "+f"(d[57]), "+f"(d[58]), "+f"(d[59]), "+f"(d[60]), "+f"(d[61]), "+f"(d[62]), "+f"(d[63])
#define MEGABLOCKS_96_OPERANDS(d) \
  MEGABLOCKS_64_OPERANDS(d), \
  "+f"(d[64]), "+f"(d[65]), "+f"(d[66]), "+f"(d[67]), "+f"(d[68]), "+f"(d[69]), "+f"(d[70]), "+f"(d[71]), \
  "+f"(d[72]), "+f"(d[73]), "+f"(d[74]), "+f"(d[75]), "+f"(d[76]), "+f"(d[77]), "+f"(d[78]), "+f"(d[79]), \
  "+f"(d[80]), "+f"(d[81]), "+f"(d[82]), "+f"(d[83]), "+f"(d[84]), "+f"(d[85]), "+f"(d[86]), "+f"(d[87]), \
  "+f"(d[88]), "+f"(d[89]), "+f"(d[90]), "+f"(d[91]), "+f"(d[92]), "+f"(d[93]), "+f"(d[94]), "+f"(d[95])
#define MEGABLOCKS_128_OPERANDS(d) \
  MEGABLOCKS_96_OPERANDS(d), \
  "+f"(d[96]), "+f"(d[97]), "+f"(d[98]), "+f"(d[99]), "+f"(d[100]), "+f"(d[101]), "+f"(d[102]), "+f"(d[103]), \
  "+f"(d[104]), "+f"(d[105]), "+f"(d[106]), "+f"(d[107]), "+f"(d[108]), "+f"(d[109]), "+f"(d[110]), "+f"(d[111]), \
  "+f"(d[112]), "+f"(d[113]), "+f"(d[114]), "+f"(d[115]), "+f"(d[116]), "+f"(d[117]), "+f"(d[118]), "+f"(d[119]), \
  "+f"(d[120]), "+f"(d[121]), "+f"(d[122]), "+f"(d[123]), "+f"(d[124]), "+f"(d[125]), "+f"(d[126]), "+f"(d[127])

/// d [64, columns] = a [64, .] b [., columns], added to d where `accumulate`; with float32 sums. Elements of float
/// must be rounded to TF32, and both operands K-major.
template <typename Element, int columns, int a_is_mn_major, int b_is_mn_major>
__device__ inline void multiply_shared(float (&d)[128], uint64_t a, uint64_t b, int accumulate) {
  constexpr bool kIsBfloat16 = std::is_same<Element, __nv_bfloat16>::value;
  static_assert(kIsBfloat16 || (std::is_same<Element, float>::value && !a_is_mn_major && !b_is_mn_major), "");
#define MEGABLOCKS_MULTIPLY_SHARED_AS(form, majors, sums, operands, a_, b_, accumulate_) \
  asm volatile( \
      "{\n" \
      ".reg .pred p;\n" \
      "setp.ne.b32 p, %" #accumulate_ ", 0;\n" \
      "wgmma.mma_async.sync.aligned." form " {" sums "}, %" #a_ ", %" #b_ ", p, 1, 1" majors ";\n" \
      "}\n" \
      : operands(d) \
      : "l"(a), "l"(b), "r"(accumulate), "n"(a_is_mn_major), "n"(b_is_mn_major))
#define MEGABLOCKS_MULTIPLY_SHARED(columns, a_major, b_major, ...) \
  if constexpr (kIsBfloat16) { \
    MEGABLOCKS_MULTIPLY_SHARED_AS("m64n" #columns "k16.f32.bf16.bf16", ", %" #a_major ", %" #b_major, __VA_ARGS__); \
  } else { \
    MEGABLOCKS_MULTIPLY_SHARED_AS("m64n" #columns "k8.f32.tf32.tf32", "", __VA_ARGS__); \
  }
  if constexpr (columns == 256) {
    MEGABLOCKS_MULTIPLY_SHARED(256, 131, 132, MEGABLOCKS_128_SUMS, MEGABLOCKS_128_OPERANDS, 128, 129, 130)
  } else if constexpr (columns == 192) {
    MEGABLOCKS_MULTIPLY_SHARED(192, 99, 100, MEGABLOCKS_96_SUMS, MEGABLOCKS_96_OPERANDS, 96, 97, 98)
  } else if constexpr (columns == 128) {
    MEGABLOCKS_MULTIPLY_SHARED(128, 67, 68, MEGABLOCKS_64_SUMS, MEGABLOCKS_64_OPERANDS, 64, 65, 66)
  } else {
    static_assert(columns == 64, "");
    MEGABLOCKS_MULTIPLY_SHARED(64, 35, 36, MEGABLOCKS_32_SUMS, MEGABLOCKS_32_OPERANDS, 32, 33, 34)
  }
#undef MEGABLOCKS_MULTIPLY_SHARED_AS
#undef MEGABLOCKS_MULTIPLY_SHARED
}
/// d [64, columns] likewise, with a in registers: of the warp's rows lane / 4 and, 1 and 3, eight further; of the inner
/// size the lane % 4-th four bytes and, 2 and 3, 16 bytes further. They must not change before the product is waited
/// for.
template <typename Element, int columns, int b_is_mn_major>
__device__ inline void multiply_held(float (&d)[128], const uint32_t (&a)[4], uint64_t b, int accumulate) {
  constexpr bool kIsBfloat16 = std::is_same<Element, __nv_bfloat16>::value;
  static_assert(kIsBfloat16 || (std::is_same<Element, float>::value && !b_is_mn_major), "");
#define MEGABLOCKS_MULTIPLY_HELD_AS(form, major, sums, operands, a0, a1, a2, a3, b_, accumulate_) \
  asm volatile( \
      "{\n" \
      ".reg .pred p;\n" \
      "setp.ne.b32 p, %" #accumulate_ ", 0;\n" \
      "wgmma.mma_async.sync.aligned." form " {" sums "}, {%" #a0 ", %" #a1 ", %" #a2 ", %" #a3 "}, %" #b_ \
      ", p, 1, 1" major ";\n" \
      "}\n" \
      : operands(d) \
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(accumulate), "n"(b_is_mn_major))
#define MEGABLOCKS_MULTIPLY_HELD(columns, major, ...) \
  if constexpr (kIsBfloat16) { \
    MEGABLOCKS_MULTIPLY_HELD_AS("m64n" #columns "k16.f32.bf16.bf16", ", %" #major, __VA_ARGS__); \
  } else { \
    MEGABLOCKS_MULTIPLY_HELD_AS("m64n" #columns "k8.f32.tf32.tf32", "", __VA_ARGS__); \
  }
  if constexpr (columns == 256) {
    MEGABLOCKS_MULTIPLY_HELD(256, 134, MEGABLOCKS_128_SUMS, MEGABLOCKS_128_OPERANDS, 128, 129, 130, 131, 132, 133)
  } else if constexpr (columns == 192) {
    MEGABLOCKS_MULTIPLY_HELD(192, 102, MEGABLOCKS_96_SUMS, MEGABLOCKS_96_OPERANDS, 96, 97, 98, 99, 100, 101)
  } else if constexpr (columns == 128) {
    MEGABLOCKS_MULTIPLY_HELD(128, 70, MEGABLOCKS_64_SUMS, MEGABLOCKS_64_OPERANDS, 64, 65, 66, 67, 68, 69)
  } else {
    static_assert(columns == 64, "");
    MEGABLOCKS_MULTIPLY_HELD(64, 38, MEGABLOCKS_32_SUMS, MEGABLOCKS_32_OPERANDS, 32, 33, 34, 35, 36, 37)
  }
#undef MEGABLOCKS_MULTIPLY_HELD_AS
#undef MEGABLOCKS_MULTIPLY_HELD
}

/// Moves registers between the warpgroups of a block.
template <int count>
__device__ inline void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(count));
}
template <int count>
__device__ inline void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(count));
}

}  // namespace megablocks
