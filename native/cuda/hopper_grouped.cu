#include "hopper_grouped.cuh"

#include <cuda_bf16.h>

#include "wgmma.cuh"

namespace megablocks {
namespace {

// A block of three warpgroups stays on its multiprocessor and goes from tile to tile. One warpgroup
// loads, by one thread; the other two multiply, 64 rows each. They meet in a ring of stages.
constexpr int kTileRows = 128;
constexpr int kTileColumns = 256;
constexpr int kDepth = 64;  // Of a stage: 128 bytes, the widest row that is swizzled.
constexpr int kStages = 4;
constexpr int kThreads = 384;
constexpr int kWarpgroup = 128;
constexpr int kMultiplyingWarps = 2 * kWarpgroup / 32;

constexpr int kBoxBytes = 64 * 128;  // 64 rows of 128 bytes.
constexpr int kABytes = kTileRows * 128;
constexpr int kBBytes = kTileColumns * 128;
constexpr int kStageBytes = kABytes + kBBytes;
/// With what it takes to begin on the 1024 bytes that swizzling demands.
constexpr int kSharedBytes = 1024 + kStages * kStageBytes + 2 * kStages * 8;

/// The sizes of a call; a and b are bfloat16 in memory.
struct Grouped {
  const int32_t* bins;
  int64_t rows;
  int k, n, num_experts;
  bool transpose_a;
  float* out;

  /// The result of one expert: of its rows, or of its matrix.
  __device__ int64_t result_rows(int64_t begin, int64_t end) const { return transpose_a ? k : end - begin; }
};

/// One tile, as all warpgroups see it.
struct Work {
  int expert;
  /// The rows of the expert.
  int64_t begin, end;
  /// Where the tile lies in the expert's result.
  int64_t row;
  int column;
};

/// The tiles of this block, one after the other: those of the first expert, then of the next.
class Schedule {
 public:
  __device__ explicit Schedule(const Grouped& g) : g_(g), index_(blockIdx.x) { enter(); }

  __device__ bool next(Work& work) {
    while (expert_ < g_.num_experts && index_ >= before_ + count_) {
      before_ += count_;
      expert_++;
      begin_ = end_;
      enter();
    }
    if (expert_ >= g_.num_experts) return false;
    const int64_t tile = index_ - before_;
    // Tiles of one column first: the blocks that run together share few columns of the expert's matrix.
    work = {expert_, begin_, end_, tile % down_ * kTileRows, static_cast<int>(tile / down_) * kTileColumns};
    index_ += gridDim.x;
    return true;
  }

 private:
  __device__ void enter() {
    if (expert_ >= g_.num_experts) return;
    end_ = min(max(int64_t{g_.bins[expert_]}, begin_), g_.rows);
    down_ = ceil_divide<int64_t>(g_.result_rows(begin_, end_), kTileRows);
    count_ = down_ * ceil_divide(g_.n, kTileColumns);
  }

  const Grouped& g_;
  int expert_ = 0;
  int64_t index_, before_ = 0, begin_ = 0, end_ = 0, down_ = 0, count_ = 0;
};

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
__device__ void zero_rows(unsigned char* box, int first) {
  for (int i = threadIdx.x % kWarpgroup; i < (64 - first) * 8; i += kWarpgroup) {
    reinterpret_cast<uint4*>(box)[first * 8 + i] = uint4{};
  }
}

/// A is K-major, but MN-major where its rows are what is summed over (transpose_a); then b is so too.
template <bool a_mn_major, bool b_mn_major>
__global__ void __launch_bounds__(kThreads, 1)
    hopper_grouped_kernel(const __grid_constant__ CUtensorMap a_map,
                          const __grid_constant__ CUtensorMap b_map, const __grid_constant__ Grouped g) {
// Other GPUs never launch it, and the host must see that it uses what is above.
#if defined(__CUDA_ARCH_FEAT_SM90_ALL) || !defined(__CUDA_ARCH__)
  extern __shared__ unsigned char memory[];
  unsigned char* const stages = memory + (1024 - shared_address(memory) % 1024) % 1024;
  uint64_t* const full = reinterpret_cast<uint64_t*>(stages + kStages * kStageBytes);
  uint64_t* const empty = full + kStages;
  if (threadIdx.x == 0) {
    for (int i = 0; i < kStages; i++) {
      init_barrier(&full[i], 1);
      init_barrier(&empty[i], kMultiplyingWarps);
    }
    fence_barriers();
    prefetch_map(&a_map);
    prefetch_map(&b_map);
  }
  __syncthreads();

  const int warpgroup = threadIdx.x / kWarpgroup;
  Schedule schedule(g);
  Work work;
  Ring ring;
  const auto depth_of = [&](const Work& w) { return a_mn_major ? static_cast<int>(w.end - w.begin) : g.k; };

  if (warpgroup == 0) {
    give_registers<40>();
    if (threadIdx.x != 0) return;
    while (schedule.next(work)) {
      for (int depth = 0; depth < depth_of(work); depth += kDepth) {
        wait(&empty[ring.stage], ring.parity ^ 1);
        unsigned char* a = stages + ring.stage * kStageBytes;
        unsigned char* b = a + kABytes;
        uint64_t* barrier = &full[ring.stage];
        arrive_expecting(barrier, kStageBytes);
        const int begin = static_cast<int>(work.begin), row = static_cast<int>(work.row);
        if (a_mn_major) {
          for (int i = 0; i < kTileRows / 64; i++) {
            load_box(a + i * kBoxBytes, &a_map, barrier, row + i * 64, begin + depth, 0);
          }
        } else {
          load_box(a, &a_map, barrier, depth, begin + row, 0);
        }
        if (b_mn_major) {
          // Of the rows that are summed over, or of the expert's matrix.
          const int y = a_mn_major ? begin + depth : depth, z = a_mn_major ? 0 : work.expert;
          for (int i = 0; i < kTileColumns / 64; i++) {
            load_box(b + i * kBoxBytes, &b_map, barrier, work.column + i * 64, y, z);
          }
        } else {
          load_box(b, &b_map, barrier, depth, work.column, work.expert);
        }
        ring.advance();
      }
    }
    return;
  }

  take_registers<232>();
  const int half = warpgroup - 1;
  float sums[128];
  while (schedule.next(work)) {
    const int length = depth_of(work);
    int previous = -1;
    for (int depth = 0; depth < length; depth += kDepth) {
      wait(&full[ring.stage], ring.parity);
      unsigned char* a = stages + ring.stage * kStageBytes + half * kBoxBytes;
      unsigned char* b = stages + ring.stage * kStageBytes + kABytes;
      if (a_mn_major && length - depth < kDepth) {
        // The rows beyond are the next expert's.
        zero_rows(a, length - depth);
        for (int i = 0; i < kTileColumns / 64; i++) zero_rows(b + i * kBoxBytes, length - depth);
        fence_shared_for_wgmma();
        wait_for_warpgroup(1 + half);
      }
      fence_wgmma();
#pragma unroll
      for (int step = 0; step < kDepth / 16; step++) {
        // 16 elements further along the inner size: 32 bytes of a row, or 16 rows.
        const int a_offset = step * (a_mn_major ? 16 * 128 : 32);
        const int b_offset = step * (b_mn_major ? 16 * 128 : 32);
        multiply_64x256x16<a_mn_major, b_mn_major>(
            sums, operand_descriptor(a + a_offset, kBoxBytes), operand_descriptor(b + b_offset, kBoxBytes),
            depth > 0 || step > 0);
      }
      commit_wgmma();
      // The stage before has been read when only this one is still multiplied.
      wait_for_wgmma<1>();
      if (previous >= 0 && threadIdx.x % 32 == 0) arrive(&empty[previous]);
      previous = ring.stage;
      ring.advance();
    }
    wait_for_wgmma<0>();
    // No use of the sums may move before the wait.
#pragma unroll
    for (int i = 0; i < 128; i++) asm volatile("" : "+f"(sums[i])::"memory");
    if (previous >= 0 && threadIdx.x % 32 == 0) arrive(&empty[previous]);

    const int lane = threadIdx.x % 32, warp = threadIdx.x % kWarpgroup / 32;
    const int64_t size = g.result_rows(work.begin, work.end);
    const int64_t first = (g.transpose_a ? work.expert * int64_t{g.k} : work.begin) + work.row;
#pragma unroll
    for (int part = 0; part < 2; part++) {
      const int row = half * 64 + warp * 16 + part * 8 + lane / 4;
      if (work.row + row >= size) continue;
      float* to = g.out + (first + row) * g.n + work.column + lane % 4 * 2;
#pragma unroll
      for (int j = 0; j < kTileColumns / 8; j++) {
        if (work.column + j * 8 >= g.n) break;
        const float2 pair = length > 0 ? float2{sums[j * 4 + part * 2], sums[j * 4 + part * 2 + 1]} : float2{};
        *reinterpret_cast<float2*>(to + j * 8) = pair;
      }
    }
  }
#endif
}

__global__ void to_bfloat16_kernel(const float4* x, int64_t size, uint2* out) {
  for (int64_t i = thread_index(); i < size; i += num_threads()) {
    const float4 v = x[i];
    const __nv_bfloat162 low = __floats2bfloat162_rn(v.x, v.y), high = __floats2bfloat162_rn(v.z, v.w);
    out[i] = {reinterpret_cast<const uint32_t&>(low), reinterpret_cast<const uint32_t&>(high)};
  }
}

size_t aligned(size_t bytes) { return (bytes + 255) / 256 * 256; }

using EncodeTiled = decltype(&cuTensorMapEncodeTiled);

/// From the driver, so that no library is linked for one function.
EncodeTiled encode_tiled() {
  static const EncodeTiled function = [] {
    void* found = nullptr;
    cudaDriverEntryPointQueryResult result;
    const cudaError_t error = cudaGetDriverEntryPointByVersion(
        "cuTensorMapEncodeTiled", &found, 12000, cudaEnableDefault, &result);
    return error == cudaSuccess && result == cudaDriverEntryPointSuccess
               ? reinterpret_cast<EncodeTiled>(found)
               : nullptr;
  }();
  return function;
}

/// The map of x [depth, height, width], from which boxes of 64 by `box_height` are loaded. What is
/// beyond an edge is loaded as zero.
bool make_map(CUtensorMap& map, const void* x, int64_t width, int64_t height, int64_t depth, int box_height) {
  const cuuint64_t sizes[] = {static_cast<cuuint64_t>(width), static_cast<cuuint64_t>(height),
                              static_cast<cuuint64_t>(depth)};
  const cuuint64_t strides[] = {static_cast<cuuint64_t>(width) * 2, static_cast<cuuint64_t>(width * height) * 2};
  const cuuint32_t box[] = {64, static_cast<cuuint32_t>(box_height), 1};
  const cuuint32_t steps[] = {1, 1, 1};
  return encode_tiled()(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 3, const_cast<void*>(x), sizes, strides, box,
                        steps, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                        CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                        CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS;
}

template <bool a_mn_major, bool b_mn_major>
cudaError_t launch(
    const CUtensorMap& a, const CUtensorMap& b, const Grouped& g, int blocks, cudaStream_t stream) {
  const auto kernel = hopper_grouped_kernel<a_mn_major, b_mn_major>;
  if (cudaError_t e =
          cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kSharedBytes)) {
    return e;
  }
  kernel<<<blocks, kThreads, kSharedBytes, stream>>>(a, b, g);
  return cudaGetLastError();
}

struct Device {
  int major = 0, multiprocessors = 0;
};

cudaError_t current_device(Device& device) {
  int id;
  if (cudaError_t e = cudaGetDevice(&id)) return e;
  if (cudaError_t e = cudaDeviceGetAttribute(&device.major, cudaDevAttrComputeCapabilityMajor, id)) return e;
  return cudaDeviceGetAttribute(&device.multiprocessors, cudaDevAttrMultiProcessorCount, id);
}

}  // namespace

bool hopper_supports(int64_t k, int64_t n) {
  Device device;
  return k > 0 && n > 0 && k % 8 == 0 && n % 8 == 0 && k <= INT32_MAX && n <= INT32_MAX &&
         current_device(device) == cudaSuccess && device.major == 9 && encode_tiled() != nullptr;
}

size_t hopper_grouped_workspace(int64_t a_size, int64_t b_size) {
  return aligned(a_size * sizeof(__nv_bfloat16)) + aligned(b_size * sizeof(__nv_bfloat16));
}

cudaError_t hopper_grouped_mat_mul(
    const float* a, const float* b, const int32_t* bins, int64_t rows, int64_t k, int64_t n,
    int num_experts, bool transpose_a, bool transpose_b, float* out, void* workspace,
    cudaStream_t stream) {
  const int64_t a_size = rows * k, b_size = transpose_a ? rows * n : num_experts * k * n;
  if (a_size > 0 && rows <= INT32_MAX) {
    void* a_half = workspace;
    void* b_half = static_cast<char*>(workspace) + aligned(a_size * sizeof(__nv_bfloat16));
    constexpr int kConvertThreads = 256;
    const auto convert = [&](const float* x, int64_t size, void* to) {
      to_bfloat16_kernel<<<grid_for(size / 4, kConvertThreads), kConvertThreads, 0, stream>>>(
          reinterpret_cast<const float4*>(x), size / 4, static_cast<uint2*>(to));
    };
    convert(a, a_size, a_half);
    convert(b, b_size, b_half);
    if (cudaError_t e = cudaGetLastError()) return e;

    CUtensorMap a_map, b_map;
    const bool made = make_map(a_map, a_half, k, rows, 1, transpose_a ? 64 : kTileRows) &&
                      (transpose_a   ? make_map(b_map, b_half, n, rows, 1, 64)
                       : transpose_b ? make_map(b_map, b_half, k, n, num_experts, kTileColumns)
                                     : make_map(b_map, b_half, n, k, num_experts, 64));
    if (!made) return cudaErrorInvalidValue;
    Device device;
    if (cudaError_t e = current_device(device)) return e;
    const Grouped g{bins, rows, static_cast<int>(k), static_cast<int>(n), num_experts, transpose_a, out};
    const auto call = transpose_a ? launch<true, true> : transpose_b ? launch<false, false> : launch<false, true>;
    return call(a_map, b_map, g, device.multiprocessors, stream);
  }
  if (rows > INT32_MAX) return cudaErrorInvalidValue;
  return transpose_a ? cudaMemsetAsync(out, 0, num_experts * k * n * sizeof(float), stream) : cudaSuccess;
}

}  // namespace megablocks
