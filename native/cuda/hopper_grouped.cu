#include "hopper_grouped.cuh"

namespace megablocks {
namespace hopper {
namespace {

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

/// Elements of a chunk, about: few enough that the tiles that wait first wait briefly, and enough that
/// flags are few.
constexpr int kChunkSize = 16384;
/// Elements that conversion may be ahead at least: in bfloat16, half of the L2.
constexpr double kWindow = 12 << 20;
/// Words before the flags: how many chunks are claimed, and the demand.
constexpr int kHeaderWords = 2;

struct GroupedOperands {
  OperandSource a, b;
};

GroupedOperands operands_of(
    const float* a, const float* b, int64_t rows, int64_t k, int64_t n, int num_experts,
    bool transpose_a, bool transpose_b, Parts& parts) {
  GroupedOperands x;
  x.a.from = a;
  x.a.width = k;
  x.a.height = rows;
  x.a.half = parts.take<__nv_bfloat16>(rows * k);
  x.b.from = b;
  x.b.width = !transpose_a && transpose_b ? k : n;
  x.b.height = transpose_a ? rows : transpose_b ? n : k;
  x.b.depth = transpose_a ? 1 : num_experts;
  x.b.half = parts.take<__nv_bfloat16>(x.b.width * x.b.height * x.b.depth);
  return x;
}

/// So that sizes are known where there is no memory yet.
float* const kSome = reinterpret_cast<float*>(16);

template <bool transpose_a, bool transpose_b, Share share>
cudaError_t multiply_grouped(
    const GroupedOperands& x, const int32_t* bins, int64_t rows, int64_t k, int64_t n, int num_experts,
    float* out, uint32_t* progress, cudaStream_t stream) {
  const Grouped<transpose_a, transpose_b, share, PlainOutput> family{
      bins, rows, static_cast<int>(k), static_cast<int>(n), num_experts, {out, n}};
  return launch(x.a, x.b, family, progress, stream);
}

}  // namespace

Conversion conversion_of(const OperandSource& x) {
  Conversion c{};
  c.from = x.from;
  c.to = x.half;
  c.indices = x.indices;
  c.top_k = x.top_k;
  c.height = x.height * x.depth;
  c.width = static_cast<int>(x.width);
  c.panel = x.panel > 0 && x.panel < c.width ? x.panel : c.width;
  c.chunk_rows = c.panel >= kChunkSize ? 1 : kChunkSize / c.panel;
  c.row_blocks = ceil_divide<int64_t>(c.height, c.chunk_rows);
  c.num_chunks = x.from == nullptr ? 0 : static_cast<int>(c.row_blocks * ceil_divide(c.width, c.panel));
  return c;
}

int64_t num_progress_words(const OperandSource& a, const OperandSource& b) {
  return kHeaderWords + int64_t{conversion_of(a).num_chunks} + conversion_of(b).num_chunks;
}

cudaError_t prepare(
    const OperandSource& a, const OperandSource& b, double burst, uint32_t* progress, Conversions& out,
    cudaStream_t stream) {
  out.a = conversion_of(a);
  out.b = conversion_of(b);
  const int64_t chunks = int64_t{out.a.num_chunks} + out.b.num_chunks;
  if (chunks > INT32_MAX / 2) return cudaErrorInvalidValue;
  out.claimed = progress;
  out.demand = reinterpret_cast<int*>(progress + 1);
  out.flags = progress + kHeaderWords;
  if (chunks == 0) return cudaSuccess;
  const auto size = [](const Conversion& c) { return c.num_chunks > 0 ? double(c.height) * c.width : 0; };
  const double window = burst > kWindow ? burst : kWindow, share = window / (size(out.a) + size(out.b));
  out.window = static_cast<int>(share < 1 ? share * chunks : chunks) + 1;
  return cudaMemsetAsync(progress, 0, (kHeaderWords + chunks) * sizeof(uint32_t), stream);
}

namespace {

/// Converts blocks of kFlatBlock vectors of four, a warp each.
__global__ void to_bfloat16_kernel(const float4* x, int64_t blocks, uint2* out) {
  for (int64_t i = thread_index() / kWarp; i < blocks; i += num_threads() / kWarp) {
    convert_flat(x + i * kFlatBlock, 1, out + i * kFlatBlock);
  }
}

}  // namespace

cudaError_t convert_first(OperandSource& x, cudaStream_t stream) {
  constexpr int kThreads = 256, kBlock = 4 * kFlatBlock;
  const int64_t size = x.width * x.height * x.depth;
  if (x.from == nullptr || x.indices != nullptr || size % kBlock != 0) return cudaSuccess;
  to_bfloat16_kernel<<<grid_for(size / kBlock, kThreads / kWarp), kThreads, 0, stream>>>(
      reinterpret_cast<const float4*>(x.from), size / kBlock, reinterpret_cast<uint2*>(x.half));
  x.from = nullptr;
  return cudaGetLastError();
}

bool make_map(CUtensorMap& map, const OperandSource& x, int box_height) {
  const cuuint64_t sizes[] = {static_cast<cuuint64_t>(x.width), static_cast<cuuint64_t>(x.height),
                              static_cast<cuuint64_t>(x.depth)};
  const cuuint64_t strides[] = {static_cast<cuuint64_t>(x.width) * 2,
                                static_cast<cuuint64_t>(x.width * x.height) * 2};
  const cuuint32_t box[] = {64, static_cast<cuuint32_t>(box_height), 1};
  const cuuint32_t steps[] = {1, 1, 1};
  return encode_tiled()(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 3, x.half, sizes, strides, box, steps,
                        CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                        CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                        CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS;
}

cudaError_t num_multiprocessors(int& count) {
  int id;
  if (cudaError_t e = cudaGetDevice(&id)) return e;
  return cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, id);
}

}  // namespace hopper

using namespace hopper;

bool hopper_supports(int64_t k, int64_t n) {
  int id, major;
  return k > 0 && n > 0 && k % 8 == 0 && n % 8 == 0 && k <= INT32_MAX / 2 && n <= INT32_MAX / 2 &&
         cudaGetDevice(&id) == cudaSuccess &&
         cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, id) == cudaSuccess &&
         major == 9 && encode_tiled() != nullptr;
}

size_t hopper_grouped_workspace(
    int64_t rows, int64_t k, int64_t n, int num_experts, bool transpose_a, bool transpose_b) {
  Parts parts;
  const GroupedOperands x =
      operands_of(kSome, kSome, rows, k, n, num_experts, transpose_a, transpose_b, parts);
  parts.take<uint32_t>(num_progress_words(x.a, x.b));
  return parts.size();
}

cudaError_t hopper_grouped_mat_mul(
    const float* a, const float* b, const int32_t* bins, int64_t rows, int64_t k, int64_t n,
    int num_experts, bool transpose_a, bool transpose_b, float* out, void* workspace,
    cudaStream_t stream) {
  if (rows > INT32_MAX / 2) return cudaErrorInvalidValue;
  if (rows == 0 || num_experts == 0) {
    return transpose_a && num_experts > 0
               ? cudaMemsetAsync(out, 0, num_experts * k * n * sizeof(float), stream)
               : cudaSuccess;
  }
  Parts parts(workspace);
  const GroupedOperands x = operands_of(a, b, rows, k, n, num_experts, transpose_a, transpose_b, parts);
  uint32_t* progress = parts.take<uint32_t>(num_progress_words(x.a, x.b));
  const bool share_b = shares_b(rows, k, n, num_experts, transpose_a);
  const auto call = transpose_a ? share_b ? multiply_grouped<true, false, kShareB>
                                          : multiply_grouped<true, false, kShareA>
                    : transpose_b ? share_b ? multiply_grouped<false, true, kShareB>
                                            : multiply_grouped<false, true, kShareA>
                    : share_b ? multiply_grouped<false, false, kShareB>
                              : multiply_grouped<false, false, kShareA>;
  return call(x, bins, rows, k, n, num_experts, out, progress, stream);
}

}  // namespace megablocks
